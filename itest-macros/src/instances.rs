//! The declared services side by side: which parameter claims which, and whether each can be told from the others.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, Ident, Path};

use crate::args::{Call, ServiceArg};
use crate::errors::Errors;
use crate::params::{Filled, Param};

pub(crate) struct Service {
    pub(crate) instance: Option<Ident>,
    pub(crate) path: Path,
    pub(crate) values: Vec<Expr>,
    pub(crate) calls: Vec<Call>,
    /// Whether a parameter has this instance's name, so that no other can get it.
    pub(crate) claimed: bool,
}

impl Service {
    pub(crate) fn check_all(args: Vec<ServiceArg>, params: &[Param], errors: &mut Errors) -> Vec<Self> {
        let services: Vec<_> = args.into_iter().map(|arg| Self::of(arg, params)).collect();
        for (index, service) in services.iter().enumerate() {
            match &service.instance {
                Some(name) => check_name(name, index, &services, params, errors),
                None => check_unnamed(service, &services[..index], errors),
            }
        }
        check_ambiguity(&services, params, errors);
        services
    }

    fn of(arg: ServiceArg, params: &[Param]) -> Self {
        let ServiceArg {
            instance,
            path,
            values,
            calls,
        } = arg;
        let has_name = |param: &Param| instance.as_ref().is_some_and(|name| same(name, &param.ident));
        let claimed = params.iter().any(|param| param.is_injected() && has_name(param));
        Self {
            instance,
            path,
            values,
            calls,
            claimed,
        }
    }

    pub(crate) fn is_instance(&self, name: &Ident) -> bool {
        self.instance.as_ref().is_some_and(|instance| same(instance, name))
    }

    pub(crate) fn is_labelled(&self, name: &Ident) -> bool {
        self.label().is_some_and(|label| same(label, name))
    }

    /// What the test calls it: the instance's name, or the function's.
    pub(crate) fn label(&self) -> Option<&Ident> {
        self.instance
            .as_ref()
            .or_else(|| self.path.segments.last().map(|segment| &segment.ident))
    }

    fn has_path_of(&self, other: &Self) -> bool {
        written(&self.path) == written(&other.path)
    }
}

fn check_name(name: &Ident, index: usize, services: &[Service], params: &[Param], errors: &mut Errors) {
    if services[..index].iter().any(|earlier| earlier.is_instance(name)) {
        errors.at(
            name,
            format!("two instances are named `{name}`; name one of them differently"),
        );
    }
    if services
        .iter()
        .any(|other| other.instance.is_none() && other.path.is_ident(name))
    {
        errors.at(
            name,
            format!("`{name}` is also a service of this test; name the instance differently"),
        );
    }
    if params
        .iter()
        .any(|param| matches!(param.filled, Filled::ByRstest { .. }) && same(&param.ident, name))
    {
        errors.at(
            name,
            format!("rstest fills the parameter `{name}`; name the instance differently"),
        );
    }
}

fn check_unnamed(service: &Service, earlier: &[Service], errors: &mut Errors) {
    if earlier
        .iter()
        .any(|other| other.instance.is_none() && other.has_path_of(service))
    {
        let path = written(&service.path);
        let message = format!("`{path}` is declared twice; name them, for example `first = {path}, second = {path}`");
        errors.at(&service.path, message);
    }
}

/// A parameter that no instance is named for is picked by its type: of like services, just one may then be left.
fn check_ambiguity(services: &[Service], params: &[Param], errors: &mut Errors) {
    let has_instance = |param: &Param| services.iter().any(|service| service.is_instance(&param.ident));
    if params.iter().all(|param| !param.is_injected() || has_instance(param)) {
        return;
    }
    let unclaimed: Vec<_> = services.iter().filter(|service| !service.claimed).collect();
    for service in &unclaimed {
        let alike = unclaimed.iter().filter(|other| other.has_path_of(service)).count();
        if let Some(name) = &service.instance
            && alike > 1
        {
            errors.at(
                name,
                format!("no parameter is named `{name}`; give that name to the one that should get it"),
            );
        }
    }
}

fn same(one: &Ident, other: &Ident) -> bool {
    one.unraw() == other.unraw()
}

fn written(path: &Path) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}
