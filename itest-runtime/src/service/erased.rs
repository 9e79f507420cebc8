//! [`Slices`] without their types: specs and grants are JSON, a slice is any value.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{KeptTemplate, LeaseName, PoolSpec, Recycled, Service, Slices, Used};
use crate::error::{Context, Result};
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
    fn begin_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, Result<Value>>;
    fn seal_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, Result<()>>;
    fn abandon_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, ()>;
    fn drop_template<'a>(&'a self, template: &'a Fingerprint) -> BoxFuture<'a, ()>;
    fn kept_templates(&self) -> Vec<KeptTemplate>;
    fn leave_templates(&self) -> BoxFuture<'_, bool>;
    fn owns_line(&self, grant: &Value, line: &str) -> bool;
    fn busy_with<'a>(&'a self, grant: &'a Value) -> BoxFuture<'a, Vec<String>>;
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

    fn begin_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            let grant = self.0.begin_template(&parse(spec)?).await?;
            serde_json::to_value(grant).context(|| "failed to write a grant as JSON")
        })
    }

    fn seal_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.0.seal_template(&parse(spec)?).await })
    }

    fn abandon_template<'a>(&'a self, spec: &'a Value) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Ok(spec) = parse(spec) {
                self.0.abandon_template(&spec).await;
            }
        })
    }

    fn drop_template<'a>(&'a self, template: &'a Fingerprint) -> BoxFuture<'a, ()> {
        Box::pin(self.0.drop_template(template))
    }

    fn kept_templates(&self) -> Vec<KeptTemplate> {
        self.0.kept_templates()
    }

    fn leave_templates(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.0.leave_templates())
    }

    fn owns_line(&self, grant: &Value, line: &str) -> bool {
        parse(grant).is_ok_and(|grant| self.0.owns_line(&grant, line))
    }

    fn busy_with<'a>(&'a self, grant: &'a Value) -> BoxFuture<'a, Vec<String>> {
        Box::pin(async move {
            match parse(grant) {
                Ok(grant) => self.0.busy_with(&grant).await,
                Err(_) => Vec::new(),
            }
        })
    }

    fn mark_log<'a>(&'a self, mark: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(self.0.mark_log(mark))
    }

    fn lost(&self) -> BoxFuture<'_, String> {
        Box::pin(self.0.lost())
    }

    fn clear(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.clear())
    }
}

pub(super) fn parse<T: DeserializeOwned>(value: &Value) -> Result<T> {
    T::deserialize(value).context(|| "a message of another version of the service came in")
}
