//! Clients behind a network that cuts them at any byte, and a server that is killed again and again.

use std::time::Duration;

use chat_load::proxy::Network;
use chat_load::{Control, Floors, Load, Mix, Scenario, Verdict, run};

use crate::server::Process;

/// How often the server is killed.
const KILLS: u64 = 12;
/// All of it takes half a minute on a machine of two cores; then something hangs.
const PATIENCE: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_reordered_through_kills_and_cuts() {
    let mut server = Process::start().await;
    let (control, mut faults) = Control::with_faults();
    let scenario = Scenario {
        servers: vec![server.server()],
        network: Some(Network {
            delay: Duration::from_millis(3),
            jitter: Duration::from_millis(3),
            loss: 2_000,
            cut: 300,
            swallow: 150,
            stall_time: Duration::from_millis(50),
            chunk: 700,
            ..Network::CLEAR
        }),
        rooms: 3,
        rooms_per_client: 2,
        clients: 10,
        readers: 2,
        load: Load::Rate {
            senders: 8,
            per_second: 60,
        },
        time: Duration::from_secs(5),
        mix: Mix {
            edits: 15,
            deletes: 5,
            reactions: 15,
        },
        skew: Duration::from_hours(1),
        impatient: true,
        floors: Floors {
            acked: 500,
            deliveries: 3_000,
            faults: KILLS,
            felt_percent: 100,
            felt_kinds: vec!["kill".to_owned()],
            resumes: 100,
        },
        seed: 7,
        ..Scenario::default()
    };
    let running = tokio::spawn(run(scenario, control));
    assert!(faults.load_began().await);
    let kills = async {
        for _ in 0..KILLS {
            faults.begin("kill");
            server.kill().await;
            server.restart().await;
            assert!(faults.everybody_is_back().await);
        }
    };
    let killed = tokio::time::timeout(PATIENCE, kills).await;
    assert!(killed.is_ok(), "somebody did not come back");
    drop(faults);
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert_eq!(report.faults["kill"].felt, KILLS, "{report}");
    assert!(report.network.cuts > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_and_lossy_network_and_wrong_clocks_break_no_promise() {
    let server = Process::start().await;
    let scenario = Scenario {
        servers: vec![server.server()],
        network: Some(Network {
            delay: Duration::from_millis(200),
            loss: 20_000,
            ..Network::CLEAR
        }),
        clients: 6,
        load: Load::Rate {
            senders: 4,
            per_second: 8,
        },
        time: Duration::from_secs(4),
        skew: Duration::from_hours(1),
        ..Scenario::default()
    };
    let report = run(scenario, Control::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert!(report.to_ack.p50_us >= 400_000, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_at_once_are_all_felt_and_lose_nothing() {
    let server = Process::start().await;
    let (control, mut faults) = Control::with_faults();
    let scenario = Scenario {
        servers: vec![server.server()],
        network: Some(Network::CLEAR),
        rooms: 2,
        clients: 20,
        readers: 4,
        load: Load::Rate {
            senders: 10,
            per_second: 100,
        },
        time: Duration::from_secs(1),
        impatient: true,
        ..Scenario::default()
    };
    let running = tokio::spawn(run(scenario, control));
    assert!(faults.load_began().await);
    let mut cut = 0;
    for _ in 0..5 {
        cut += faults.cut_at_once("at once", usize::MAX) as u64;
        assert!(faults.somebody_is_cut().await);
        assert!(faults.everybody_is_back().await);
    }
    drop(faults);
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert!(cut >= 24, "{cut}");
    let single = report.faults["connection cut"];
    assert_eq!((single.injected, single.felt), (cut, cut), "{report}");
    assert_eq!(report.faults["at once"].felt, 5, "{report}");
    assert!(report.faults["at once"].all_live_ms > 0, "{report}");
    assert!(report.back.count >= 24, "{report}");
}
