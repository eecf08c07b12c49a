//! Whole runs against a sound server.

use std::time::Duration;

use chat_load::{Control, Floors, Load, LoadError, Mix, Report, Scenario, Verdict, run};

use crate::server::Process;

async fn run_alone(scenario: Scenario) -> Report {
    run(scenario, Control::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_server_keeps_every_promise() {
    let server = Process::start().await;
    let histories = tempfile::NamedTempFile::new().unwrap();
    let report = run_alone(Scenario {
        servers: vec![server.server()],
        rooms: 3,
        rooms_per_client: 2,
        private_rooms: 1,
        attended_rooms: 1,
        clients: 8,
        readers: 8,
        load: Load::Rate {
            senders: 6,
            per_second: 100,
        },
        // Until somebody has left a private room and tried what they may not do any more.
        time: Duration::from_secs(4),
        mix: Mix {
            edits: 20,
            deletes: 10,
            reactions: 20,
        },
        skew: Duration::from_hours(1),
        sources: 4,
        pids: vec![server.pid()],
        histories: Some(histories.path().to_owned()),
        floors: Floors {
            acked: 100,
            deliveries: 500,
            ..Floors::default()
        },
        ..Scenario::default()
    })
    .await;
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert_eq!(report.load.sent, report.load.acked, "{report}");
    assert_eq!(report.to_ack.count, report.load.acked);
    assert!(report.to_reader.count > report.load.acked, "{report}");
    assert!(report.connecting.resident_after_kib > 0, "{report}");
    let written = std::fs::read_to_string(histories.path()).unwrap();
    assert!(written.lines().count() > 500);
    for line in written.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_that_pipeline_saturate_a_server_without_breaking_a_promise() {
    let server = Process::start().await;
    let report = run_alone(Scenario {
        servers: vec![server.server()],
        rooms: 2,
        clients: 2,
        readers: 4,
        load: Load::Saturated {
            senders: 4,
            window: 16,
        },
        time: Duration::from_secs(2),
        floors: Floors {
            acked: 200,
            deliveries: 500,
            ..Floors::default()
        },
        ..Scenario::default()
    })
    .await;
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_below_its_floors_proves_nothing() {
    let server = Process::start().await;
    let scenario = Scenario {
        servers: vec![server.server()],
        clients: 2,
        load: Load::Rate {
            senders: 1,
            per_second: 10,
        },
        time: Duration::from_millis(500),
        ..Scenario::default()
    };
    let enough = run_alone(scenario.clone()).await;
    assert_eq!(enough.verdict().exit_code(), 0, "{enough}");
    let report = run_alone(Scenario {
        floors: Floors {
            faults: 1,
            ..Floors::default()
        },
        ..scenario
    })
    .await;
    assert_eq!(report.verdict(), Verdict::ProvesNothing, "{report}");
    assert_eq!(report.verdict().exit_code(), 2);
    assert_eq!(report.below, ["0 faults felt of at least 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_measured_and_need_no_messages() {
    let server = Process::start().await;
    let report = run_alone(Scenario {
        servers: vec![server.server()],
        clients: 1,
        readers: 40,
        load: Load::Idle,
        time: Duration::from_millis(100),
        pids: vec![server.pid()],
        ..Scenario::default()
    })
    .await;
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert_eq!(report.load.sent, 0);
}

#[tokio::test]
async fn a_scenario_without_sense_is_refused() {
    let nobody = run(Scenario::default(), Control::default()).await;
    assert!(matches!(nobody, Err(LoadError::Scenario(_))));
}
