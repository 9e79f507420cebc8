CREATE TABLE guests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);
CREATE TABLE rooms (
    number int PRIMARY KEY,
    guest bigint REFERENCES guests
);
INSERT INTO rooms (number) SELECT generate_series(1, 10);
CREATE SEQUENCE tickets;
