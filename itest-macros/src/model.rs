//! A test without mistakes: everything that expansion needs, each thing said once.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use syn::{Attribute, FnArg, Ident, Path, Signature, Visibility, parse_quote};

use crate::args::Args;
use crate::errors::Errors;
use crate::instances::Service;
use crate::options::Options;
use crate::params::Param;
use crate::signature::{Function, Harness, is_lint};

pub(crate) struct Test {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) harness: Harness,
    pub(crate) vis: Visibility,
    /// The signature as written, without the attributes that only rstest understands.
    pub(crate) sig: Signature,
    pub(crate) body: TokenStream,
    pub(crate) params: Vec<Param>,
    pub(crate) services: Vec<Service>,
    pub(crate) options: Options,
    /// The path of the facade.
    pub(crate) facade: Path,
}

impl Test {
    pub(crate) fn check(args: Args, function: &Function, errors: &mut Errors) -> Self {
        let harness = function.check(errors);
        let params = Param::check_all(function, errors);
        let services = Service::check_all(args.services, &params, errors);
        let options = Options::check(&args.options, errors);
        Self {
            attrs: function.attrs.clone(),
            harness: if options.own_harness { Harness::Theirs } else { harness },
            vis: function.vis.clone(),
            sig: inner_signature(&function.sig),
            body: function.body.clone(),
            params,
            services,
            facade: options.facade.clone().unwrap_or_else(find_facade),
            options,
        }
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
