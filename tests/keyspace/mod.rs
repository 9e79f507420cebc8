//! A service with templates, from its builder to the value that tests receive: a key-value server that has neither databases
//! nor users.
//!
//! A slice is a prefix of keys, and so is a template, which the first test that needs it fills by a function of its own. A slice
//! starts as a copy of its template, and is made one again after each test. (The server happens to be Redis, of which no more
//! is used than a key-value server has.)

use std::fmt;
use std::future::Future;

use itest::provider::{Endpoint, Program, Recipe};
use itest::service::{
    LeaseName, Offers, Outcome, Placement, PoolSpec, Recycled, Service, Slices, Stage, Step, Steps, TemplateId,
    Templates, TestContext, Used,
};
use itest::spec::Fingerprint;
use itest::{Context, Error, Inject, Lease, Result};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

/// `#[integration(keyspace(filled = by_a_function))]`
pub(crate) fn keyspace() -> Keyspace {
    Keyspace::default()
}

#[derive(Clone, Default)]
pub(crate) struct Keyspace {
    placement: Placement,
    /// What fills the template.
    steps: Steps<Keys>,
}

itest::options!(Keyspace {
    dedicated,
    native,
    docker
});

impl Keyspace {
    /// The template's content.
    pub(crate) fn filled<F, R, O>(mut self, function: F) -> Self
    where
        F: Fn(Keys) -> R + Send + Sync + 'static,
        R: Future<Output = O> + Send + 'static,
        O: Outcome + 'static,
    {
        self.steps.setup(function, |_, _| None);
        self
    }
}

impl Service for Keyspace {
    const NAME: &'static str = "keyspace";
    const CODE: &'static str = itest::code!();
    type ServerSpec = ();
    /// The template, if there is one.
    type SliceSpec = Option<TemplateId>;
    /// The server's URL, and the prefix.
    type Grant = (String, String);
    type Slices = Prefixes;

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn specs(&self, test: &TestContext) -> Result<((), Option<TemplateId>)> {
        Ok(((), self.steps.template(test, &[Self::CODE.as_bytes()])?))
    }

    fn recipe((): &()) -> Recipe {
        let program = Program::new("redis-server").install("install it: `apt-get install redis-server`");
        Recipe::listening(program, "redis:8.2", 6379, |at| {
            let words = format!("--bind {} --port {} --save  --protected-mode no", at.host, at.port);
            words.split(' ').map(str::to_owned).collect()
        })
    }

    async fn connect((): &(), endpoint: &Endpoint) -> Result<Prefixes> {
        let url = format!("redis://{}", endpoint.address()?);
        let all = Keys::of(&(url.clone(), String::new())).await?;
        let owner = endpoint.owner.clone();
        Ok(Prefixes { url, owner, all })
    }

    async fn build(&self, _: &TestContext, blank: &(String, String), _: Stage) -> Result<()> {
        for step in &self.steps {
            if let Step::Setup(setup) = step {
                setup.run(Keys::of(blank).await?).await?;
            }
        }
        Ok(())
    }
}

/// The supervisor's end.
pub(crate) struct Prefixes {
    url: String,
    owner: String,
    all: Keys,
}

impl Prefixes {
    fn of_template(&self, template: &Fingerprint) -> String {
        format!("{}-template-{template}:", self.owner)
    }

    async fn copy_template(&self, (prefix, template): &(String, Option<TemplateId>)) -> Result<()> {
        let Some(template) = template else { return Ok(()) };
        let from = self.of_template(&template.fingerprint);
        for key in self.all.names(&from).await? {
            let value = self.all.get(&format!("{from}{key}")).await?.unwrap_or_default();
            self.all.set(&format!("{prefix}{key}"), &value).await?;
        }
        Ok(())
    }
}

impl Slices<Keyspace> for Prefixes {
    /// Its prefix, and its template.
    type Slice = (String, Option<TemplateId>);

    fn pool(&self, template: &Option<TemplateId>) -> Result<PoolSpec> {
        Ok(PoolSpec::of(template.clone()))
    }

    async fn make(&self, template: &Option<TemplateId>) -> Result<Self::Slice> {
        let prefix = format!("{}-{}:", self.owner, itest::service::random_hex(8));
        let slice = (prefix, template.clone());
        self.copy_template(&slice).await?;
        Ok(slice)
    }

    async fn grant(&self, slice: &mut Self::Slice, _: &Option<TemplateId>, _: &LeaseName) -> Result<(String, String)> {
        Ok((self.url.clone(), slice.0.clone()))
    }

    async fn recycle(&self, slice: &mut Self::Slice, _: Used) -> Result<Recycled> {
        // A client that still hangs on knows the old prefix.
        self.all.remove(&slice.0).await?;
        *slice = self.make(&slice.1).await?;
        Ok(Recycled::Ready)
    }

    async fn destroy(&self, (prefix, _): Self::Slice) {
        let _ = self.all.remove(&prefix).await;
    }

    fn offers(&self) -> Offers<'_, Keyspace> {
        Offers::none().templates(self)
    }
}

impl Templates<Keyspace> for Prefixes {
    async fn begin_template(&self, template: &Option<TemplateId>) -> Result<(String, String)> {
        let template = template
            .as_ref()
            .ok_or_else(|| Error::new("a blank slice has no template"))?;
        let prefix = self.of_template(&template.fingerprint);
        // An earlier builder may have died.
        self.all.remove(&prefix).await?;
        Ok((self.url.clone(), prefix))
    }

    async fn drop_template(&self, template: &Fingerprint) {
        let _ = self.all.remove(&self.of_template(template)).await;
    }
}

/// All keys that begin with a prefix, by the rest of their names.
#[derive(Clone)]
pub(crate) struct Keys {
    connection: MultiplexedConnection,
    prefix: String,
}

impl Keys {
    async fn of((url, prefix): &(String, String)) -> Result<Self> {
        let client = redis::Client::open(url.as_str()).context(|| "the server's URL can't be used")?;
        let connection = client.get_multiplexed_async_connection().await;
        Ok(Self {
            connection: connection.context(|| "failed to connect")?,
            prefix: prefix.clone(),
        })
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<String>> {
        let got = self.connection.clone().get(format!("{}{key}", self.prefix)).await;
        got.context(|| format!("failed to get `{key}`"))
    }

    pub(crate) async fn set(&self, key: &str, value: &str) -> Result<()> {
        let set = self
            .connection
            .clone()
            .set(format!("{}{key}", self.prefix), value)
            .await;
        set.context(|| format!("failed to set `{key}`"))
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let found: Vec<String> = self
            .connection
            .clone()
            .keys(format!("{prefix}*"))
            .await
            .context(|| "failed to list")?;
        Ok(found
            .into_iter()
            .filter_map(|key| Some(key.strip_prefix(prefix)?.to_owned()))
            .collect())
    }

    async fn remove(&self, prefix: &str) -> Result<()> {
        for key in self.names(prefix).await? {
            let removed = self.connection.clone().del::<_, ()>(format!("{prefix}{key}")).await;
            removed.context(|| format!("failed to remove `{key}`"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Inject for Keys {
    type Service = Keyspace;

    async fn inject(lease: &Lease<Keyspace>) -> Result<Self> {
        Self::of(lease.grant()).await
    }
}
