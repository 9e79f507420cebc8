//! The bulk of the fleet: tests that are all alike.

/// Modules of ten tests each, which visit the template that `services` describe, in both isolations.
#[macro_export]
macro_rules! guests {
    ($template:tt with $rooms:literal rooms: $($module:ident)+) => {$(
        mod $module {
            $crate::guests!(@each (database) $template $rooms:
                in_a_database_1 in_a_database_2 in_a_database_3 in_a_database_4 in_a_database_5);
            $crate::guests!(@each (transaction) $template $rooms:
                in_a_transaction_1 in_a_transaction_2 in_a_transaction_3 in_a_transaction_4 in_a_transaction_5);
        }
    )+};
    (@each $isolation:tt $template:tt $rooms:literal: $($name:ident)+) => {
        $($crate::guests!(@one $isolation $template $rooms $name);)+
    };
    (@one ($isolation:ident) ($($template:tt)*) $rooms:literal $name:ident) => {
        #[::itest::integration(postgres($($template)*, $isolation), redis)]
        async fn $name(db: ::sqlx::PgPool, cache: ::redis::Client) -> ::anyhow::Result<()> {
            $crate::ensure_rooms(&db, $rooms).await?;
            $crate::visit(concat!(module_path!(), "::", stringify!($name)), &db, &cache).await
        }
    };
}
