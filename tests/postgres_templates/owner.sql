-- What PostgreSQL does as the owner of an object, whoever asks for it.
CREATE TABLE sales (id int PRIMARY KEY, amount int);
INSERT INTO sales VALUES (1, 10);
CREATE TABLE items (sale int REFERENCES sales);
CREATE MATERIALIZED VIEW totals AS SELECT 1 AS id, count(*) FROM sales;
CREATE UNIQUE INDEX ON totals (id);
CREATE FUNCTION scratch() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'CREATE TEMP TABLE s (i int)';
CREATE TABLE events (at date) PARTITION BY RANGE (at);
CREATE FUNCTION part() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN CREATE TABLE public.events_1 PARTITION OF public.events DEFAULT; END $$;
CREATE FUNCTION tenant() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN CREATE SCHEMA tenant_1; END $$;

-- Wherever a role is named besides.
CREATE SCHEMA private;
CREATE TABLE private.notes (id int, note text);
INSERT INTO private.notes VALUES (1, 'mine'), (2, 'nobody''s');
ALTER TABLE private.notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE private.notes FORCE ROW LEVEL SECURITY;
DO $$ BEGIN EXECUTE format('CREATE POLICY own ON private.notes TO %I USING (id = 1)', current_user); END $$;
GRANT SELECT ON sales TO PUBLIC;
GRANT SELECT (amount), UPDATE (amount) ON sales TO CURRENT_USER;
ALTER DEFAULT PRIVILEGES REVOKE TRUNCATE ON TABLES FROM CURRENT_USER;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE tickets;
GRANT USAGE ON SEQUENCE tickets TO PUBLIC;
CREATE STATISTICS pairs ON id, amount FROM sales;
CREATE COLLATION words FROM "C";
CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int);
CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);
CREATE PUBLICATION changes FOR TABLE sales;
SELECT lo_create(4711);
