CREATE TABLE wishlists (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE wishes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wishlist_id bigint NOT NULL REFERENCES wishlists ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'done', 'failed')),
    amount numeric(12, 2) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX wishes_wishlist_id ON wishes (wishlist_id);
