//! Tests of the fleet that are all alike.

fleet_probe::guests!((migrations = "./migrations") with 10 rooms: first second third fourth fifth sixth);
