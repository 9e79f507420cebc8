INSERT INTO people (name) VALUES ('Ada'), ('Bob'), ('Cyd');
DELETE FROM people WHERE name = 'Cyd';
INSERT INTO letters (sender, body) VALUES (1, 'dear Bob');
