//! Tests of the fleet: many that are all alike.

fleet_probe::guests!((migrations = "./migrations") with 10 rooms: first second third fourth fifth sixth);
