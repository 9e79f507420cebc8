use std::path::Path;

struct Model;

#[itest::fixture(shared, postgres, teardown = close)]
async fn of_a_service(db: sqlx::PgPool) -> Model {
    Model
}

#[itest::fixture(shared)]
fn with_a_folder(#[folder] folder: &Path) -> Model {
    Model
}

#[itest::fixture(shared = "machine")]
fn by_whom() -> Model {
    Model
}

#[itest::fixture(shared = "run")]
fn generic<T>(#[option] t: T) -> u8 {
    0
}

#[itest::fixture(shared = "run")]
fn without_a_json_form() -> Model {
    Model
}

#[itest::fixture(shared)]
fn of_one_thread() -> std::rc::Rc<u8> {
    std::rc::Rc::new(0)
}

fn main() {}
