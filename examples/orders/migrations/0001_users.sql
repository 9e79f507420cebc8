CREATE TABLE users (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name  text NOT NULL CHECK (name <> ''),
    email text NOT NULL CHECK (email LIKE '_%@_%')
);

-- Nobody registers twice by writing the same address in capitals.
CREATE UNIQUE INDEX users_email_is_unique ON users (lower(email));
