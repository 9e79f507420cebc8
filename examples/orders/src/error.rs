//! Everything that can go wrong, in the words of the caller.

/// Why the service did not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request itself makes no sense: bad JSON, a bad e-mail address, page zero.
    #[error("{0}")]
    BadRequest(String),
    /// A write without the right bearer token.
    #[error("this needs a valid bearer token")]
    Unauthorized,
    /// There is no such user, item, order or page.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The address exists, but not with this method.
    #[error("this method is not allowed here")]
    MethodNotAllowed,
    /// Another user has this e-mail address.
    #[error("another user has this e-mail address")]
    EmailTaken,
    /// Another item has this SKU.
    #[error("another item has this SKU")]
    SkuTaken,
    /// A user who has ordered something can't be deleted.
    #[error("this user has orders")]
    UserHasOrders,
    /// An order asks for more than there is.
    #[error("there is not enough of `{sku}` in stock")]
    OutOfStock {
        /// The item that ran out.
        sku: String,
    },
    /// An order names an item that doesn't exist.
    #[error("there is no item `{sku}` to order")]
    UnknownItem {
        /// What was asked for.
        sku: String,
    },
    /// An order names a user who doesn't exist.
    #[error("there is no user {user_id} to order for")]
    UnknownUser {
        /// Who was meant to order.
        user_id: i64,
    },
    /// The database failed, for a reason that is not the caller's business.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// The name of the constraint that a statement violated, if that is why it failed.
pub(crate) fn violated(error: &sqlx::Error) -> Option<&str> {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint)
}
