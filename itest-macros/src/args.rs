//! What is written in the attribute's parentheses: services and test options, in any order.
//!
//! Only read here, not judged. A mistake in one argument doesn't hide those in the next: reading goes on after the comma.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Lit, Path, Token, parenthesized, token};

use crate::errors::Errors;
use crate::options::{Attribute, OptionKey};

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) services: Vec<ServiceArg>,
    pub(crate) options: Vec<OptionArg>,
}

/// `mail = container("mailhog/mailhog", "v1.0.1", port = 1025)`.
pub(crate) struct ServiceArg {
    pub(crate) instance: Option<Ident>,
    pub(crate) path: Path,
    /// What the function of that path is called with.
    pub(crate) values: Vec<Expr>,
    pub(crate) calls: Vec<Call>,
}

/// One word of a service's parentheses: a call of the builder's method of that name.
pub(crate) struct Call {
    pub(crate) method: Ident,
    pub(crate) given: Given,
}

pub(crate) enum Given {
    /// `transaction`
    Nothing,
    /// `version = "16"`
    Value(Box<Expr>),
    /// `fixtures("users", "orders")`
    List(Vec<Expr>),
}

/// `timeout = "30s"`.
pub(crate) struct OptionArg {
    pub(crate) key: OptionKey,
    pub(crate) word: Ident,
    /// None if it stands alone.
    pub(crate) value: Option<Expr>,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream, attribute: Attribute, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        if tokens.is_empty() && attribute == Attribute::Test {
            let message = "no service is declared; write for example `#[integration(postgres)]`";
            errors.push(syn::Error::new(Span::call_site(), message));
        }
        let read = |input: ParseStream<'_>| {
            parse_each(input, errors, |input, errors| {
                args.parse_argument(input, attribute, errors)
            });
            Ok(())
        };
        // All tokens are read, so it can only complain of what was left in parentheses that are reported already.
        let _ = read.parse2(tokens);
        args
    }

    fn parse_argument(&mut self, input: ParseStream<'_>, attribute: Attribute, errors: &mut Errors) -> syn::Result<()> {
        if input.peek(Ident::peek_any) && input.peek2(Token![=]) {
            let word = input.call(Ident::parse_any)?;
            input.parse::<Token![=]>()?;
            if let Some(key) = attribute.option(&word) {
                let value = Some(parse_value(input, &word, key.example())?);
                self.options.push(OptionArg { key, word, value });
            } else if input.peek(Lit) || input.peek(Token![-]) {
                input.parse::<Expr>()?;
                return Err(attribute.unknown(&word));
            } else {
                let service = ServiceArg::parse(Some(word), attribute, input, errors)?;
                self.services.push(service);
            }
            return Ok(());
        }
        let service = ServiceArg::parse(None, attribute, input, errors)?;
        if let Some((word, key)) = service
            .path
            .get_ident()
            .and_then(|word| Some((word, attribute.option(word)?)))
        {
            if key.may_stand_alone() {
                let (word, value) = (word.clone(), None);
                self.options.push(OptionArg { key, word, value });
                return Ok(());
            }
            let message = format!(
                "`{word}` is {} without a value; write for example `{}`",
                attribute.an_option(),
                key.example()
            );
            return Err(syn::Error::new_spanned(word, message));
        }
        self.services.push(service);
        Ok(())
    }
}

impl ServiceArg {
    fn parse(
        instance: Option<Ident>,
        attribute: Attribute,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> syn::Result<Self> {
        if let Some(instance) = &instance
            && at_end(input)
        {
            let message = format!("`{instance}` names no service; write for example `{instance} = postgres`");
            return Err(syn::Error::new_spanned(instance, message));
        }
        let path = input
            .call(Path::parse_mod_style)
            .map_err(|error| syn::Error::new(error.span(), attribute.expected()))?;
        let (mut values, mut calls) = (Vec::new(), Vec::new());
        if input.peek(token::Paren) {
            let inside;
            parenthesized!(inside in input);
            parse_each(&inside, errors, |input, _| {
                if input.peek(Lit) {
                    let value = input.parse()?;
                    return push_value(value, &path, &mut values, &calls);
                }
                calls.push(Call::parse(input)?);
                Ok(())
            });
        }
        Ok(Self {
            instance,
            path,
            values,
            calls,
        })
    }
}

fn push_value(value: Expr, path: &Path, values: &mut Vec<Expr>, calls: &[Call]) -> syn::Result<()> {
    if let Some(Call { method, .. }) = calls.last() {
        let name = path.segments.last().map(|segment| segment.ident.to_string());
        let name = name.unwrap_or_default();
        return Err(syn::Error::new_spanned(
            value,
            format!(
                "a value without a name stands after the option `{method}`; write it first, as in `{name}(\"...\", {method})`"
            ),
        ));
    }
    values.push(value);
    Ok(())
}

impl Call {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let method = input.call(parse_word)?;
        let given = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            let example = format!("{method} = \"...\"");
            Given::Value(Box::new(parse_value(input, &method, &example)?))
        } else if input.peek(token::Paren) {
            let inside;
            parenthesized!(inside in input);
            if inside.is_empty() {
                let message = format!("`{method}()` lists nothing; write `{method}` or `{method}(\"...\")`");
                return Err(syn::Error::new_spanned(method, message));
            }
            Given::List(
                Punctuated::<Expr, Token![,]>::parse_terminated(&inside)?
                    .into_iter()
                    .collect(),
            )
        } else {
            Given::Nothing
        };
        Ok(Self { method, given })
    }
}

fn parse_word(input: ParseStream<'_>) -> syn::Result<Ident> {
    let message = "expected an option of the service; write `name`, `name = value` or `name(value, value)`";
    input
        .parse()
        .map_err(|error: syn::Error| syn::Error::new(error.span(), message))
}

fn parse_value(input: ParseStream<'_>, word: &Ident, example: &str) -> syn::Result<Expr> {
    if at_end(input) {
        return Err(syn::Error::new_spanned(
            word,
            format!("`{word}` has no value; write for example `{example}`"),
        ));
    }
    input.parse()
}

fn at_end(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

/// Reads what stands between commas, each for itself.
fn parse_each(
    input: ParseStream<'_>,
    errors: &mut Errors,
    mut parse: impl FnMut(ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) {
    while !input.is_empty() {
        match parse(input, errors) {
            Err(error) => errors.push(error),
            Ok(()) if at_end(input) => {}
            Ok(()) => errors.push(input.error("expected `,`; separate services and options by commas")),
        }
        while !input.is_empty() {
            if let Ok(TokenTree::Punct(token)) = input.parse::<TokenTree>()
                && token.as_char() == ','
            {
                break;
            }
        }
    }
}
