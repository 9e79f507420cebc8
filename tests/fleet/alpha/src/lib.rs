//! One package of the fleet: its tests are in `tests/`, and only other tests run them.
