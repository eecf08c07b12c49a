-- The oldest schema version that a program has to know to work on this database. A program that knows
-- less refuses to start; one that knows this much starts also when newer migrations have been run, so
-- that a release can be rolled back. A migration that takes something away raises it.
CREATE TABLE schema_floor (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    oldest BIGINT  NOT NULL
);
INSERT INTO schema_floor (id, oldest) VALUES (1, 2);
