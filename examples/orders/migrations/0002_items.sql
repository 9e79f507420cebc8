CREATE TABLE items (
    sku         text PRIMARY KEY CHECK (sku <> ''),
    name        text NOT NULL CHECK (name <> ''),
    price_cents bigint NOT NULL CONSTRAINT items_price_is_positive CHECK (price_cents BETWEEN 1 AND 100000000),
    stock       integer NOT NULL CONSTRAINT items_stock_is_not_negative CHECK (stock >= 0)
);
