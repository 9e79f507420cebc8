//! What is understood, what is refused with which words, and what is written for it.

mod arguments;
mod expansion;
mod fixtures;
mod functions;
mod instances;
mod options;

use proc_macro2::TokenStream;
use quote::quote;

use crate::integration::check;
use crate::model::Test;

fn read(args: TokenStream, function: TokenStream) -> Result<Test, Vec<String>> {
    let function = syn::parse2(function).map_err(messages)?;
    check(args, &function).map_err(messages)
}

fn messages(errors: syn::Error) -> Vec<String> {
    errors.into_iter().map(|error| error.to_string()).collect()
}

/// The mistakes of a test with these arguments.
fn mistakes(args: TokenStream) -> Vec<String> {
    mistakes_of(args, quote! { async fn t() {} })
}

fn mistakes_of(args: TokenStream, function: TokenStream) -> Vec<String> {
    read(args, function).err().unwrap_or_default()
}

#[test]
fn every_message_says_what_to_write_instead_in_forty_words_at_most() {
    let messages = mistakes_of(
        quote! {
            postgres(version = , [16], fixtures(), a, "x", a b), postgres, postgres, 3, one =, one = redis, one = redis, redis,
            timeout, timeout = "soon", retries = -1, retries = 2, retry_delay = 5, flavor = "mint", worker_threads = 0,
            crate = 1, colour = "red", flavour = "multi_thread"
        },
        quote! {
            #[integration] #[tokio::test] #[rstest] #[awt]
            const unsafe extern "C" fn t<T>(self, #[cfg(x)] a: A, (b, c): B, _: C, d: &&D, #[future(awt)] e: E) {}
        },
    );
    assert!(messages.len() > 25, "{messages:#?}");
    for message in messages {
        assert!(message.split_whitespace().count() <= 40, "{message}");
        assert!(message.contains("; "), "{message}");
        assert!(
            !message.ends_with('.') && !message.starts_with(char::is_uppercase),
            "{message}"
        );
    }
}
