//! A function without mistakes: everything that expansion needs, each thing said once.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Attribute, FnArg, GenericParam, Ident, Path, ReturnType, Signature, Type, Visibility, parse_quote};

use crate::args::Args;
use crate::errors::Errors;
use crate::instances::Service;
use crate::options::{FixtureOptions, Options, Shared};
use crate::params::{Filled, Param};
use crate::signature::{Function, Harness, is_lint};

/// A function whose parameters are injected.
pub(crate) struct Callee {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    /// The signature as written, without the attributes of parameters that others understand.
    pub(crate) sig: Signature,
    pub(crate) body: TokenStream,
    pub(crate) params: Vec<Param>,
    pub(crate) services: Vec<Service>,
    /// The path of the facade.
    pub(crate) facade: Path,
}

pub(crate) struct Test {
    pub(crate) callee: Callee,
    pub(crate) harness: Harness,
    pub(crate) options: Options,
}

pub(crate) struct Fixture {
    pub(crate) callee: Callee,
    /// Whether the function returns a `Result` with the value.
    pub(crate) may_fail: bool,
    pub(crate) options: FixtureOptions,
}

impl Callee {
    fn of(function: &Function, params: Vec<Param>, services: Vec<Service>, facade: Option<&Path>) -> Self {
        Self {
            attrs: function.attrs.clone(),
            vis: function.vis.clone(),
            sig: inner_signature(&function.sig),
            body: function.body.clone(),
            params,
            services,
            facade: facade.cloned().unwrap_or_else(find_facade),
        }
    }
}

impl Test {
    pub(crate) fn check(args: Args, function: &Function, errors: &mut Errors) -> Self {
        let harness = function.check(errors);
        let params = Param::check_test(function, errors);
        let services = Service::check_all(args.services, &params, errors);
        let options = Options::check(&args.options, errors);
        Self {
            callee: Callee::of(function, params, services, options.facade.as_ref()),
            harness: if options.own_harness { Harness::Theirs } else { harness },
            options,
        }
    }
}

impl Fixture {
    pub(crate) fn check(args: Args, function: &Function, errors: &mut Errors) -> Self {
        function.check_fixture(errors);
        let params = Param::check_fixture(function, errors);
        let services = Service::check_all(args.services, &params, errors);
        check_generics(function, &params, errors);
        check_itself(&function.sig.ident, &services, errors);
        check_words(&services, &params, errors);
        let options = FixtureOptions::check(&args.options, errors);
        check_shared(options.shared, function, &services, &params, errors);
        let may_fail = match &function.sig.output {
            ReturnType::Type(_, ty) => is_result(ty),
            ReturnType::Default => false,
        };
        Self {
            callee: Callee::of(function, params, services, options.facade.as_ref()),
            may_fail,
            options,
        }
    }
}

/// What a type parameter is, is said by an option.
fn check_generics(function: &Function, params: &[Param], errors: &mut Errors) {
    for generic in &function.sig.generics.params {
        let (name, is_said) = match generic {
            GenericParam::Lifetime(lifetime) => (lifetime.lifetime.to_token_stream(), false),
            GenericParam::Const(constant) => (constant.ident.to_token_stream(), false),
            GenericParam::Type(generic) => {
                let is_it = |ty: &Type| matches!(ty, Type::Path(path) if path.path.is_ident(&generic.ident));
                let says = |param: &Param| matches!(&param.filled, Filled::AsOption { ty, default: None } if is_it(ty));
                (generic.ident.to_token_stream(), params.iter().any(says))
            }
        };
        if !is_said {
            let message = format!(
                "nobody could choose `{name}` for a fixture; make it the type of an option, as in `#[option] clock: {name}`"
            );
            errors.at(name, message);
        }
    }
}

/// What is shared is made of nothing that a test has for itself.
fn check_shared(
    shared: Option<Shared>,
    function: &Function,
    services: &[Service],
    params: &[Param],
    errors: &mut Errors,
) {
    if shared.is_some()
        && let Some(service) = services.first()
    {
        let message = "what is shared outlives every test's services and fixtures, and can't be made of them; remove this, or `shared`";
        errors.at(&service.path, message);
    }
    for param in params {
        match &param.filled {
            Filled::Injected { .. } if shared.is_some() => errors.at(
                &param.ident,
                "nothing makes a parameter of what is shared; make it an option: `#[default(value)]` or `#[option]`",
            ),
            Filled::WithFolder { .. } if shared != Some(Shared::Run) => errors.at(
                &param.ident,
                "a folder is there once per run; add `shared = \"run\"` to the fixture's attribute",
            ),
            _ => {}
        }
    }
    if shared == Some(Shared::Run) && !function.sig.generics.params.is_empty() {
        errors.at(
            &function.sig.generics,
            "what a run shares is known by its name and its options; write a concrete type instead",
        );
    }
}

fn check_itself(name: &Ident, services: &[Service], errors: &mut Errors) {
    if let Some(service) = services.iter().find(|service| service.path.is_ident(name)) {
        let message = format!("the fixture `{name}` can't be made of itself; name what it is made of");
        errors.at(&service.path, message);
    }
}

/// A named part of a fixture is for one of its parameters, or for nobody.
fn check_words(services: &[Service], params: &[Param], errors: &mut Errors) {
    for service in services {
        if let Some(name) = &service.instance
            && params
                .iter()
                .any(|param| matches!(param.filled, Filled::AsOption { .. }) && param.ident == *name)
        {
            errors.at(
                name,
                format!("`{name}` is also an option of the fixture; name the instance differently"),
            );
        }
    }
}

/// By its name, which may be that of an alias, such as `RedisResult`: what it stands for can't be seen.
pub(crate) fn is_result(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => {
            let name = path.path.segments.last().map(|segment| segment.ident.to_string());
            name.is_some_and(|name| name.ends_with("Result"))
        }
        Type::Group(group) => is_result(&group.elem),
        Type::Paren(paren) => is_result(&paren.elem),
        _ => false,
    }
}

/// The signature of the user's function inside the wrapper.
fn inner_signature(sig: &Signature) -> Signature {
    let mut sig = sig.clone();
    for arg in &mut sig.inputs {
        if let FnArg::Typed(arg) = arg {
            if arg.attrs.iter().any(|attr| attr.path().is_ident("future")) {
                let ty = &arg.ty;
                // What rstest makes of the wrapper's parameter.
                arg.ty = parse_quote! { impl ::core::future::Future<Output = #ty> };
            }
            arg.attrs.retain(is_lint);
        }
    }
    sig
}

fn find_facade() -> Path {
    let name = match crate_name("itest") {
        Ok(FoundCrate::Name(name)) => name,
        // Without cargo's manifest there is nothing to look in; the compiler says it if the crate isn't there.
        Ok(FoundCrate::Itself) | Err(_) => "itest".to_owned(),
    };
    let name = Ident::new(&name, Span::call_site());
    parse_quote! { ::#name }
}
