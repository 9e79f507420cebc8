//! The words that mean the same for every service.

/// Gives a builder words that mean the same for every service.
///
/// `docker`, `native`, `external` and `dedicated` set its field `placement`, a [`Placement`](crate::service::Placement);
/// `version` and `image` set fields of these names, which are `Option<String>`.
///
/// ```
/// use itest::service::Placement;
///
/// #[derive(Clone, Default)]
/// struct Search {
///     placement: Placement,
///     version: Option<String>,
/// }
///
/// itest::options!(Search { dedicated, docker, native, external, version });
///
/// // #[integration(search(version = "3", dedicated))]
/// let asked = Search::default().version("3").dedicated();
/// ```
#[macro_export]
macro_rules! options {
    ($builder:ident { $($word:ident),+ $(,)? }) => {
        #[allow(dead_code, unreachable_pub, reason = "a test may say any of them, and none has to")]
        impl $builder {
            $($crate::options!(@ $word);)+
        }
    };
    (@ dedicated) => {
        /// A server of the test's own.
        pub fn dedicated(mut self) -> Self {
            self.placement.dedicated = true;
            self
        }
    };
    (@ docker) => {
        /// A container, whatever the configuration says.
        pub fn docker(mut self) -> Self {
            self.placement.provider = Some($crate::spec::Provider::Docker);
            self
        }
    };
    (@ native) => {
        /// A process of this machine, whatever the configuration says.
        pub fn native(mut self) -> Self {
            self.placement.provider = Some($crate::spec::Provider::Native);
            self
        }
    };
    (@ external) => {
        /// The server at `ITEST_<SERVICE>_URL`, whatever else the configuration says.
        pub fn external(mut self) -> Self {
            self.placement.provider = Some($crate::spec::Provider::External);
            self
        }
    };
    (@ version) => {
        /// The server's version: `"7"`, or `"7.2"` for that very one. An external server of another version is an error.
        pub fn version(mut self, version: impl Into<String>) -> Self {
            self.version = Some(version.into());
            self
        }
    };
    (@ image) => {
        /// The image of its container, which must keep the official image's contract. Other providers ignore it.
        pub fn image(mut self, image: impl Into<String>) -> Self {
            self.image = Some(image.into());
            self
        }
    };
}
