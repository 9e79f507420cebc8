//! [`Slices`] without their types: specs and grants are JSON, a slice is any value.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Base, KeptTemplate, LeaseName, PoolSpec, Recycled, Service, Slices, Used};
use crate::error::{Context, Error, Result};
use crate::spec::Fingerprint;

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
pub(crate) type AnySlice = Box<dyn Any + Send + Sync>;

pub(crate) trait ErasedSlices: Send + Sync {
    fn pool(&self, spec: &Value) -> Result<PoolSpec>;
    fn limit(&self) -> Option<usize>;
    fn make<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, Result<AnySlice>>;
    fn grant<'a>(
        &'a self,
        slice: &'a mut AnySlice,
        spec: &'a Value,
        lease: &'a LeaseName,
    ) -> BoxFuture<'a, Result<Value>>;
    fn recycle<'a>(&'a self, slice: &'a mut AnySlice, used: Used) -> BoxFuture<'a, Result<Recycled>>;
    fn destroy(&self, slice: AnySlice) -> BoxFuture<'_, ()>;
    fn base(&self, spec: &Value) -> Result<Option<Base<Value>>>;
    fn begin_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, Result<Value>>;
    fn seal_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, Result<()>>;
    fn abandon_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, ()>;
    fn drop_template<'a>(&'a self, template: &'a Fingerprint) -> BoxFuture<'a, ()>;
    fn template_bytes<'a>(&'a self, template: &'a Fingerprint) -> BoxFuture<'a, Option<u64>>;
    fn kept_templates(&self) -> Vec<KeptTemplate>;
    fn leave_templates(&self) -> BoxFuture<'_, bool>;
    fn owns_line(&self, grant: &Value, line: &str) -> bool;
    fn busy_with<'a>(&'a self, grant: &'a Value) -> BoxFuture<'a, Vec<String>>;
    fn holds<'a>(&'a self, grant: &'a Value) -> BoxFuture<'a, Vec<String>>;
    fn mark_log<'a>(&'a self, mark: &'a str) -> BoxFuture<'a, bool>;
    fn lost(&self) -> BoxFuture<'_, String>;
    fn clear(&self) -> BoxFuture<'_, ()>;
}

pub(super) struct Typed<S: Service>(pub(super) S::Slices);

const OWN_SLICE: &str = "a slice comes back to the service that made it";

impl<S: Service> ErasedSlices for Typed<S> {
    fn pool(&self, spec: &Value) -> Result<PoolSpec> {
        self.0.pool(&parse(spec)?)
    }

    fn limit(&self) -> Option<usize> {
        self.0.limit()
    }

    fn make<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, Result<AnySlice>> {
        Box::pin(async move { Ok(Box::new(self.0.make(&parse(spec)?).await?) as AnySlice) })
    }

    fn grant<'a>(
        &'a self,
        slice: &'a mut AnySlice,
        spec: &'a Value,
        lease: &'a LeaseName,
    ) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            let slice = slice.downcast_mut().expect(OWN_SLICE);
            let grant = self.0.grant(slice, &parse(spec)?, lease).await?;
            serde_json::to_value(grant).context(|| "failed to write a grant as JSON")
        })
    }

    fn recycle<'a>(&'a self, slice: &'a mut AnySlice, used: Used) -> BoxFuture<'a, Result<Recycled>> {
        Box::pin(async move { self.0.recycle(slice.downcast_mut().expect(OWN_SLICE), used).await })
    }

    fn destroy(&self, slice: AnySlice) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.0.destroy(*slice.downcast().expect(OWN_SLICE)).await })
    }

    fn base(&self, spec: &Value) -> Result<Option<Base<Value>>> {
        match self.0.offers().of_templates() {
            Some(templates) => templates.base_of(&parse(spec)?),
            None => Ok(None),
        }
    }

    fn begin_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            let templates = self.0.offers().of_templates();
            let templates = templates.ok_or_else(|| {
                Error::new(format!("`{}` asks for a template, and its slices offer none", S::NAME))
                    .hint("`Slices::offers` says what they offer: `Offers::none().templates(self)`")
            })?;
            templates.begin(&parse(spec)?).await
        })
    }

    fn seal_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            match self.0.offers().of_templates() {
                Some(templates) => templates.seal(&parse(spec)?).await,
                None => Ok(()),
            }
        })
    }

    fn abandon_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(templates) = self.0.offers().of_templates()
                && let Ok(spec) = parse(spec)
            {
                templates.abandon(&spec).await;
            }
        })
    }

    fn drop_template<'a>(&'a self, template: &'a Fingerprint) -> BoxFuture<'a, ()> {
        match self.0.offers().of_templates() {
            Some(templates) => templates.drop(template),
            None => Box::pin(async {}),
        }
    }

    fn template_bytes<'a>(&'a self, template: &'a Fingerprint) -> BoxFuture<'a, Option<u64>> {
        match self.0.offers().of_templates() {
            Some(templates) => templates.bytes(template),
            None => Box::pin(async { None }),
        }
    }

    fn kept_templates(&self) -> Vec<KeptTemplate> {
        match self.0.offers().of_kept_templates() {
            Some(kept) => kept.kept(),
            None => Vec::new(),
        }
    }

    fn leave_templates(&self) -> BoxFuture<'_, bool> {
        match self.0.offers().of_kept_templates() {
            Some(kept) => kept.leave(),
            None => Box::pin(async { false }),
        }
    }

    fn owns_line(&self, grant: &Value, line: &str) -> bool {
        let logs = self.0.offers().of_logs();
        logs.is_some_and(|logs| logs.owns(grant, line))
    }

    fn busy_with<'a>(&'a self, grant: &'a Value) -> BoxFuture<'a, Vec<String>> {
        match self.0.offers().of_logs() {
            Some(logs) => logs.busy(grant),
            None => Box::pin(async { Vec::new() }),
        }
    }

    fn holds<'a>(&'a self, grant: &'a Value) -> BoxFuture<'a, Vec<String>> {
        match self.0.offers().of_logs() {
            Some(logs) => logs.held(grant),
            None => Box::pin(async { Vec::new() }),
        }
    }

    fn mark_log<'a>(&'a self, mark: &'a str) -> BoxFuture<'a, bool> {
        match self.0.offers().of_logs() {
            Some(logs) => logs.mark(mark),
            None => Box::pin(async { false }),
        }
    }

    fn lost(&self) -> BoxFuture<'_, String> {
        Box::pin(self.0.lost())
    }

    fn clear(&self) -> BoxFuture<'_, ()> {
        match self.0.offers().of_clearing() {
            Some(clearing) => clearing.clear_all(),
            None => Box::pin(async {}),
        }
    }
}

pub(super) fn parse<T: DeserializeOwned>(value: &Value) -> Result<T> {
    T::deserialize(value).context(|| "a message of another version of the service came in")
}
