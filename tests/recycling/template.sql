-- Tables of every kind that PostgreSQL knows, most of them with rows.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE point3 AS (x int, y numeric(12, 4), label text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);

CREATE TABLE plain (id serial PRIMARY KEY, note text NOT NULL, at timestamptz DEFAULT now(), UNIQUE (note));
INSERT INTO plain (note) SELECT 'seed ' || g FROM generate_series(1, 30) AS g;

-- Names its owner, which is another in each database.
GRANT SELECT ON plain TO PUBLIC;

CREATE TABLE empty (id bigserial PRIMARY KEY, note text, plain_id int REFERENCES plain ON DELETE CASCADE);

CREATE TABLE identified (
    id int GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 7) PRIMARY KEY,
    price numeric(10, 2) NOT NULL,
    doubled numeric GENERATED ALWAYS AS (price * 2) STORED,
    parent int REFERENCES identified DEFERRABLE INITIALLY DEFERRED
);
INSERT INTO identified (price, parent) VALUES (1.50, NULL), (2.25, 100), (3.75, 107), (1e7, 114);

-- Its column would have another value if the row were written again.
CREATE FUNCTION once() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
CREATE TABLE stale (id int PRIMARY KEY, made int GENERATED ALWAYS AS (once()) STORED);
INSERT INTO stale VALUES (1), (2);
CREATE OR REPLACE FUNCTION once() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2';

CREATE TABLE kinds (
    id uuid PRIMARY KEY, f float8, g real, b bytea, j jsonb, a text[], m mood, p point3, i interval, d date, n positive,
    r int4range, bits bit(5), net inet, x xml, money money
);
INSERT INTO kinds VALUES
    ('00000000-0000-0000-0000-000000000001', 0.1, 1e-30, '\x00ff', '{"k": [1, null]}', '{a,"b,c",NULL}', 'ok', '(1,2.5,"a ""q""")',
     '1 mon 2 days 03:04:05.6', '0044-03-15 BC', 7, '[1,5)', B'10101', '10.0.0.0/8', '<a>1</a>', 12.34),
    ('00000000-0000-0000-0000-000000000002', 'NaN', '-Infinity', '', 'null', '{}', 'sad', NULL, '-1 year', 'infinity', 1,
     'empty', B'00000', '::1', NULL, -1),
    ('00000000-0000-0000-0000-000000000003', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE bulky (id int PRIMARY KEY, body text);
INSERT INTO bulky SELECT g, (SELECT string_agg(md5((g * 1000 + h)::text), E'\t\\') FROM generate_series(1, 400) AS h)
    FROM generate_series(1, 4) AS g;

CREATE TABLE parted (id int, region text, amount int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_eu PARTITION OF parted FOR VALUES IN ('eu');
CREATE TABLE parted_us PARTITION OF parted FOR VALUES IN ('us') PARTITION BY RANGE (id);
CREATE TABLE parted_us_low PARTITION OF parted_us FOR VALUES FROM (MINVALUE) TO (100);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
INSERT INTO parted VALUES (1, 'eu', 10), (2, 'us', 20), (3, 'mars', 30);

CREATE TABLE parent (id int, note text);
CREATE TABLE child (extra text) INHERITS (parent);
INSERT INTO parent VALUES (1, 'a parent');
INSERT INTO child VALUES (2, 'a child', 'more');

CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY, note text);
INSERT INTO fleeting VALUES (1, 'stays'), (2, 'too');

CREATE TABLE guarded (id int PRIMARY KEY, owner text);
INSERT INTO guarded VALUES (1, 'nobody'), (2, 'somebody');
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (owner <> 'nobody') WITH CHECK (true);

CREATE TABLE audit (id bigserial, what text);
CREATE FUNCTION write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME);
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TABLE watched (id int PRIMARY KEY, note text);
INSERT INTO watched VALUES (1, 'one'), (2, 'two');
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON watched FOR EACH ROW EXECUTE FUNCTION write_audit();

-- Fires even while rows are put back.
CREATE TABLE stubborn (id int PRIMARY KEY, note text);
INSERT INTO stubborn VALUES (1, 'always');
CREATE TRIGGER stubborn_audited BEFORE INSERT OR DELETE ON stubborn FOR EACH ROW EXECUTE FUNCTION write_audit();
ALTER TABLE stubborn ENABLE ALWAYS TRIGGER stubborn_audited;

CREATE TABLE ruled (id int PRIMARY KEY, note text);
INSERT INTO ruled VALUES (1, 'kept');
CREATE RULE kept AS ON DELETE TO ruled DO INSTEAD NOTHING;

CREATE TABLE "Odd ""Name""; --" ("the ""column""" int, "select" text);
INSERT INTO "Odd ""Name""; --" VALUES (1, E'tab\there'), (2, '\N'), (3, NULL), (4, '');
CREATE TABLE columnless ();
INSERT INTO columnless DEFAULT VALUES;
INSERT INTO columnless DEFAULT VALUES;

CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS plain FROM plain;
CREATE UNIQUE INDEX ON totals (plain);
CREATE VIEW notes AS SELECT id, note FROM plain WHERE id < 100;
CREATE INDEX ON plain (lower(note));
CREATE STATISTICS plain_stats ON id, note FROM plain;

CREATE SEQUENCE loose START 10 MAXVALUE 20 CYCLE;
CREATE SEQUENCE used CACHE 5;
SELECT nextval('used'), setval('plain_id_seq', 1000, false);
SELECT lo_from_bytea(900001, 'a large object');
COMMENT ON TABLE plain IS 'plain';
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- What a database sets must not bend the supervisor's own statements.
CREATE TABLE listed (id int PRIMARY KEY, words text[]);
INSERT INTO listed VALUES (1, ARRAY['a', NULL, 'c']);
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET array_nulls = off', current_database()); END $$;

-- A check that writes to another table.
CREATE TABLE echoes (t text);
CREATE FUNCTION echo(text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.echoes VALUES ($1); RETURN true; END $$;
CREATE TABLE checked (t text CHECK (echo(t)));
INSERT INTO checked VALUES ('a'), ('b');
CREATE FUNCTION quiet(text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT public.echo($1)';
CREATE TABLE wrapped (t text CHECK (quiet(t)));
INSERT INTO wrapped VALUES ('a');

-- Large, with room in its pages.
CREATE TABLE vast (id int PRIMARY KEY, body text);
INSERT INTO vast SELECT g, repeat(md5(g::text), 16) FROM generate_series(1, 2500) AS g;
DELETE FROM vast WHERE id % 100 = 7;
