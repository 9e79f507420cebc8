CREATE TABLE bookings (
    id bigserial PRIMARY KEY,
    room_id bigint NOT NULL CONSTRAINT bookings_room REFERENCES rooms DEFERRABLE INITIALLY DEFERRED,
    guest text NOT NULL
);
CREATE FUNCTION refuse_ghosts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.guest = 'ghost' THEN RAISE EXCEPTION 'no ghosts'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER no_ghosts BEFORE INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION refuse_ghosts();
