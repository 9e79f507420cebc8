//! `#[needs::images]` below a test's attribute: where the machine has no such thing, the test is ignored, with the reason.
//!
//! What the machine has is found out by `build.rs` of the package `itest`, as `cfg`s.

use proc_macro::TokenStream;

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident: $cfg:literal, $reason:literal;)+) => {
        $(
            $(#[$doc])*
            #[proc_macro_attribute]
            pub fn $name(_: TokenStream, test: TokenStream) -> TokenStream {
                ignored_unless($cfg, $reason, test)
            }
        )+
    };
}

needs! {
    /// A container engine, and the images that `cargo xtask images` makes.
    images: "has_images", "no test images; `cargo xtask images`, then `touch build.rs`";
    /// Those, and Docker's compose tool.
    compose: "has_compose", "no test images or no compose tool; `cargo xtask images`, then `touch build.rs`";
    /// Those images, an ssh client and an ssh server.
    sshd: "has_sshd", "no ssh server or no test images; `cargo xtask images`, install openssh-server, then `touch build.rs`";
    /// All of that.
    sshd_and_compose: "all(has_sshd, has_compose)",
        "no ssh server, no test images or no compose tool; `cargo xtask images`, install them, then `touch build.rs`";
    /// PostgreSQL's program that writes a database as a text.
    pg_dump: "has_pg_dump",
        "no pg_dump was found to compare databases with; install PostgreSQL's client programs, then `touch build.rs`";
    /// The server.
    memcached: "has_memcached", "no memcached was found; install it, then `touch build.rs`";
    /// To be root.
    root: "is_root", "only root's servers run as another user; run the tests as root, after `touch build.rs`";
    /// To be able to mount a small disk.
    mount: "can_mount", "this user can't mount a small disk; run the tests as root, after `touch build.rs`";
}

fn ignored_unless(cfg: &str, reason: &str, test: TokenStream) -> TokenStream {
    let attribute = format!("#[cfg_attr(not({cfg}), ignore = {reason:?})]");
    let mut attributed: TokenStream = attribute.parse().expect("an attribute");
    attributed.extend(test);
    attributed
}
