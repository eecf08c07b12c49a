//! Whatever happens in a world that keeps its promises, the audit finds nothing.

use chat_load::audit::audit;
use proptest::prelude::*;

use crate::model::{Fate, Kind, Step, World};

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Answered),
        2 => Just(Fate::AnswerLost),
        2 => Just(Fate::RequestLost),
        1 => Just(Fate::RefusedForNow),
        1 => Just(Fate::RefusedForGood),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Edit),
        1 => Just(Kind::Delete),
        2 => any::<bool>().prop_map(Kind::React),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..4_usize, 0..2_usize);
    prop_oneof![
        4 => (place(), fate()).prop_map(|((client, room), fate)| Step::Send { client, room, fate }),
        3 => (place(), 0..20_usize, kind(), fate()).prop_map(
            |((client, room), message, kind, fate)| Step::Change {
                client, room, message, kind, fate,
            }
        ),
        6 => (place(), 0..6_usize).prop_map(
            |((client, room), events)| Step::Deliver { client, room, events }
        ),
        1 => (0..4_usize, any::<bool>()).prop_map(
            |(client, recovered)| Step::Reconnect { client, recovered }
        ),
        1 => place().prop_map(|(client, room)| Step::FallBehind { client, room }),
    ]
}

proptest! {
    #[test]
    fn a_history_without_a_broken_promise_is_clean(
        steps in proptest::collection::vec(step(), 0..80)
    ) {
        let mut world = World::new(4, 2);
        for step in &steps {
            world.step(step);
        }
        let evidence = world.end();
        let found = audit(&evidence.histories, &evidence.readings);
        prop_assert!(found.is_empty(), "{}", found[0]);
    }
}
