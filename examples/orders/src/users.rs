//! The people who order.

use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::{
    Error, Result,
    email::Email,
    error::violated,
    page::{Page, PageRequest},
};

/// Someone who may order.
#[derive(Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct User {
    id: i64,
    name: String,
    email: Email,
}

/// All there is to say about a user, as a caller writes it.
#[derive(Debug, Deserialize)]
pub struct UserArgs {
    name: Name,
    email: Email,
}

/// A name that is not blank.
#[derive(Debug, Deserialize, sqlx::Type)]
#[serde(try_from = "String")]
#[sqlx(transparent)]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.trim().is_empty() {
            Err("a name must not be blank")
        } else {
            Ok(Self(text))
        }
    }
}

/// Adds a user.
///
/// # Errors
/// [`Error::EmailTaken`], or the database fails.
pub async fn create(db: &PgPool, user: &UserArgs) -> Result<User> {
    sqlx::query_as("INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id, name, email")
        .bind(&user.name)
        .bind(&user.email)
        .fetch_one(db)
        .await
        .map_err(email_taken)
}

/// Reads one user.
///
/// # Errors
/// [`Error::NotFound`], or the database fails.
pub async fn find(db: &PgPool, id: i64) -> Result<User> {
    sqlx::query_as("SELECT id, name, email FROM users WHERE id = $1")
        .bind(id)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("user"))
}

/// Reads one page of all users, oldest first.
///
/// # Errors
/// The database fails.
pub async fn list(db: &PgPool, page: PageRequest) -> Result<Page<User>> {
    let users = sqlx::query_as("SELECT id, name, email FROM users ORDER BY id LIMIT $1 OFFSET $2")
        .bind(page.limit())
        .bind(page.offset())
        .fetch_all(db)
        .await?;
    let total = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(db).await?;
    Ok(page.of(users, total))
}

/// Replaces all that is known about a user.
///
/// # Errors
/// [`Error::NotFound`], [`Error::EmailTaken`], or the database fails.
pub async fn replace(db: &PgPool, id: i64, user: &UserArgs) -> Result<User> {
    sqlx::query_as("UPDATE users SET name = $2, email = $3 WHERE id = $1 RETURNING id, name, email")
        .bind(id)
        .bind(&user.name)
        .bind(&user.email)
        .fetch_optional(db)
        .await
        .map_err(email_taken)?
        .ok_or(Error::NotFound("user"))
}

/// Deletes a user who has not ordered anything.
///
/// # Errors
/// [`Error::NotFound`], [`Error::UserHasOrders`], or the database fails.
pub async fn delete(db: &PgPool, id: i64) -> Result<()> {
    let deleted = sqlx::query("DELETE FROM users WHERE id = $1")
        .bind(id)
        .execute(db)
        .await
        .map_err(|error| {
            if violated(&error) == Some("orders_user_exists") {
                Error::UserHasOrders
            } else {
                error.into()
            }
        })?;
    if deleted.rows_affected() == 0 {
        Err(Error::NotFound("user"))
    } else {
        Ok(())
    }
}

fn email_taken(error: sqlx::Error) -> Error {
    if violated(&error) == Some("users_email_is_unique") {
        Error::EmailTaken
    } else {
        error.into()
    }
}
