CREATE TABLE people (
    id int AUTO_INCREMENT PRIMARY KEY,
    name varchar(40) NOT NULL UNIQUE
);
CREATE TABLE letters (
    id int AUTO_INCREMENT PRIMARY KEY,
    sender int NOT NULL,
    body text,
    FOREIGN KEY (sender) REFERENCES people (id) ON DELETE CASCADE
);
