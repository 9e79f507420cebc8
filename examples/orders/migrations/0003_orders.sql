CREATE TABLE orders (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint NOT NULL CONSTRAINT orders_user_exists REFERENCES users,
    total_cents bigint NOT NULL CHECK (total_cents > 0),
    placed_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX orders_by_user ON orders (user_id);

CREATE TABLE order_lines (
    order_id    bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    sku         text NOT NULL REFERENCES items,
    quantity    integer NOT NULL CONSTRAINT order_lines_quantity_is_positive CHECK (quantity > 0),
    price_cents bigint NOT NULL CHECK (price_cents > 0),
    PRIMARY KEY (order_id, sku)
);

CREATE INDEX order_lines_by_item ON order_lines (sku);

-- An order has lines, and its total is their sum. This is checked when the transaction commits:
-- a line refers to its order, so there is always a moment when the order has none.
CREATE FUNCTION check_order_total() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM orders
    WHERE id = NEW.id
      AND total_cents IS DISTINCT FROM (SELECT sum(quantity * price_cents) FROM order_lines WHERE order_id = NEW.id);
    IF FOUND THEN
        RAISE EXCEPTION 'the lines of order % do not add up to its total', NEW.id
            USING ERRCODE = 'check_violation', TABLE = 'orders', CONSTRAINT = 'orders_total_is_sum_of_lines';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER orders_total_is_sum_of_lines
    AFTER INSERT OR UPDATE ON orders
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_order_total();
