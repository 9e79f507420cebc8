-- The second statement is wrong.
ALTER TABLE shelves ADD COLUMN room text;
ALTER TABLE shelfs ADD COLUMN floor int;
