//! A server that dies in the middle of a run: the test that lost it says so, and the next one has another.

use fleet_driver::Harbour;

#[test]
fn the_next_test_has_another_postgres_and_the_one_that_lost_it_says_why_it_failed() {
    dies("postgres", "the postgres server ended (signal: 9");
}

#[test]
fn the_next_test_has_another_redis_and_the_one_that_lost_it_says_why_it_failed() {
    dies("redis", "the redis server ended (signal: 9");
}

fn dies(service: &str, said: &str) {
    let harbour = Harbour::open();
    let held = "beta::first::in_a_database_2";
    let run = harbour
        .nextest()
        .threads(1)
        .only("binary(beta) & test(first)")
        .hold(held);
    let mut run = run.start();
    run.wait_until_held();
    harbour.kill_server(service);
    harbour.wait_until_gone(&[service]);
    run.release();
    let ended = run.wait();
    ended.check(10, &[held]);
    assert!(ended.output.contains(said), "{}", ended.output);
    assert_eq!(
        harbour.servers_seen(),
        3,
        "the dead one, its successor, and the one that stayed"
    );
    harbour.wait_until_empty();
}
