CREATE TABLE made (at timestamptz); INSERT INTO made VALUES (clock_timestamp()); CREATE TABLE things (name text); CREATE SEQUENCE numbers;
