CREATE TABLE currencies (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE exchange_rates (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    currency_id bigint NOT NULL REFERENCES currencies ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'done', 'failed')),
    amount numeric(12, 2) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX exchange_rates_currency_id ON exchange_rates (currency_id);
