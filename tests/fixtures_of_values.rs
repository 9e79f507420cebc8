//! Fixtures: values of the user's own that are made of other injected values, and taken down after the test.

#[path = "fixtures_of_values/common.rs"]
mod common;
#[path = "fixtures_of_values/deep/mod.rs"]
mod deep;
#[path = "fixtures_of_values/failures.rs"]
mod failures;
#[path = "fixtures_of_values/one_instance.rs"]
mod one_instance;
#[path = "fixtures_of_values/shapes.rs"]
mod shapes;
#[path = "fixtures_of_values/sharing.rs"]
mod sharing;
mod support;
#[path = "fixtures_of_values/teardown.rs"]
mod teardown;
