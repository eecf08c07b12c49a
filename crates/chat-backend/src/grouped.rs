//! Reads that are asked for one by one and made many at a time.
//!
//! A thousand connections that come at once, each with a question of its own, are a handful of
//! statements: what is asked while others are being answered goes with the next statement. A question
//! that is alone waits for nobody. A statement begins after every question that it answers, so no
//! answer is older than its question.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_store::{Place, Store, StoreError, UserRecord};
use chat_types::id::{RoomId, SessionId, UserId};
use chat_types::problem::ErrorCode;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::error::ApiError;

/// Questions that one statement answers at most.
const AT_ONCE: usize = 256;
/// Statements under way at once for one kind of question: where one is stuck, others go on.
const STATEMENTS: usize = 2;

/// A kind of question, and how many of them are answered.
pub trait Questions: Send + Sync + 'static {
    /// What is asked.
    type Question: Clone + Send + 'static;
    /// What is found.
    type Answer: Send + 'static;

    /// The answers, in the order of the questions.
    fn answer(
        &self,
        asked: Vec<Self::Question>,
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// Whose session it is, as long as it is live.
pub struct LiveUsers {
    /// Where sessions are kept.
    pub store: Arc<dyn Store>,
    /// By which they end.
    pub clock: Arc<dyn Clock>,
}

impl Questions for LiveUsers {
    type Question = SessionId;
    type Answer = Option<UserRecord>;

    async fn answer(&self, asked: Vec<SessionId>) -> Result<Vec<Self::Answer>, StoreError> {
        let found = self.store.users_of(&asked, self.clock.now()).await?;
        let found: HashMap<_, _> = found.into_iter().collect();
        let user = |session| found.get(session).cloned();
        Ok(asked.iter().map(user).collect())
    }
}

/// A room as a user or a visitor finds it, if it exists.
pub struct Places {
    /// Where rooms and memberships are kept.
    pub store: Arc<dyn Store>,
}

impl Questions for Places {
    type Question = (RoomId, Option<UserId>);
    type Answer = Option<Place>;

    async fn answer(&self, asked: Vec<Self::Question>) -> Result<Vec<Self::Answer>, StoreError> {
        self.store.places(&asked).await
    }
}

type Asked<Q> = (
    <Q as Questions>::Question,
    oneshot::Sender<Result<<Q as Questions>::Answer, ApiError>>,
);

struct Waiting<Q: Questions> {
    asked: VecDeque<Asked<Q>>,
    statements: usize,
}

struct Shared<Q: Questions> {
    questions: Q,
    tasks: TaskTracker,
    waiting: Mutex<Waiting<Q>>,
}

/// Asks questions of one kind many at a time. Clones are the same one.
pub struct Grouped<Q: Questions>(Arc<Shared<Q>>);

impl<Q: Questions> Grouped<Q> {
    /// Nothing is asked yet. The statements are tasks of `tasks`.
    pub fn new(questions: Q, tasks: TaskTracker) -> Self {
        let waiting = Waiting {
            asked: VecDeque::new(),
            statements: 0,
        };
        Self(Arc::new(Shared {
            questions,
            tasks,
            waiting: Mutex::new(waiting),
        }))
    }

    /// The answer to one question.
    ///
    /// # Errors
    /// What the store says; `unavailable`.
    pub async fn ask(&self, question: Q::Question) -> Result<Q::Answer, ApiError> {
        let (to, answer) = oneshot::channel();
        let begins = {
            let mut waiting = self.0.lock();
            waiting.asked.push_back((question, to));
            let begins = waiting.statements < STATEMENTS;
            waiting.statements += usize::from(begins);
            begins
        };
        if begins {
            let answering = Answering {
                shared: self.0.clone(),
                is_over: false,
            };
            self.0.tasks.spawn(answering.run());
        }
        let lost = |_| Err(ApiError::new(ErrorCode::Unavailable));
        answer.await.unwrap_or_else(lost)
    }
}

impl<Q: Questions> Shared<Q> {
    fn lock(&self) -> MutexGuard<'_, Waiting<Q>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, asked: Vec<Asked<Q>>) {
        let questions: Vec<_> = asked.iter().map(|(question, _)| question.clone()).collect();
        match self.questions.answer(questions).await {
            Ok(answers) => {
                for ((_, to), answer) in asked.into_iter().zip(answers) {
                    // Who asked may have stopped waiting.
                    let _ = to.send(Ok(answer));
                }
            }
            // One row that cannot be read must not stand in the way of the others.
            Err(StoreError::Damaged(_)) if asked.len() > 1 => {
                for (question, to) in asked {
                    let answers = self.questions.answer(vec![question]).await;
                    let _ = to.send(only(answers));
                }
            }
            Err(error) => {
                let error = ApiError::from(error);
                for (_, to) in asked {
                    let _ = to.send(Err(error.clone()));
                }
            }
        }
    }
}

/// The answer to a question that was asked alone.
fn only<T>(answers: Result<Vec<T>, StoreError>) -> Result<T, ApiError> {
    let answer = answers?.pop();
    answer.ok_or_else(|| ApiError::internal("a question without an answer"))
}

/// The right to have a statement under way.
struct Answering<Q: Questions> {
    shared: Arc<Shared<Q>>,
    is_over: bool,
}

impl<Q: Questions> Answering<Q> {
    /// Answers until nothing is asked any more.
    async fn run(mut self) {
        // Whoever is about to ask does so first.
        yield_now().await;
        while let Some(asked) = self.next() {
            self.shared.answer(asked).await;
            yield_now().await;
        }
    }

    /// What the next statement answers; `None` gives the right up.
    fn next(&mut self) -> Option<Vec<Asked<Q>>> {
        let mut waiting = self.shared.lock();
        // Who has stopped waiting needs no answer.
        waiting.asked.retain(|(_, to)| !to.is_closed());
        let some = waiting.asked.len().min(AT_ONCE);
        if some == 0 {
            // While nobody can ask: who asks next begins anew.
            waiting.statements -= 1;
            self.is_over = true;
            return None;
        }
        Some(waiting.asked.drain(..some).collect())
    }
}

impl<Q: Questions> Drop for Answering<Q> {
    fn drop(&mut self) {
        // Otherwise an answer panicked.
        if !self.is_over {
            let mut waiting = self.shared.lock();
            waiting.statements -= 1;
            // They would wait until somebody else asks; so they hear at once that it failed.
            waiting.asked.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    /// Tells each number, and the version that was current when the statement began.
    #[derive(Default)]
    struct Numbers {
        statements: Mutex<Vec<usize>>,
        version: AtomicU32,
        /// A statement that is asked for 0 goes on when it is told to.
        goes_on: Notify,
    }

    const DAMAGED: u32 = 13;
    const PANICS: u32 = 14;

    impl Questions for Arc<Numbers> {
        type Question = u32;
        type Answer = (u32, u32);

        async fn answer(&self, asked: Vec<u32>) -> Result<Vec<(u32, u32)>, StoreError> {
            self.statements.lock().unwrap().push(asked.len());
            let version = self.version.load(Ordering::SeqCst);
            assert!(!asked.contains(&PANICS), "as a store might");
            if asked.contains(&DAMAGED) {
                return Err(StoreError::Damaged("13".to_owned()));
            }
            if asked.contains(&0) {
                self.goes_on.notified().await;
            }
            Ok(asked.into_iter().map(|n| (n, version)).collect())
        }
    }

    fn numbers() -> (Arc<Numbers>, Grouped<Arc<Numbers>>) {
        let numbers = Arc::new(Numbers::default());
        (numbers.clone(), Grouped::new(numbers, TaskTracker::new()))
    }

    #[tokio::test]
    async fn a_crowd_of_questions_is_a_handful_of_statements_of_a_bounded_size() {
        let (numbers, grouped) = numbers();
        let crowd = u32::try_from(AT_ONCE).unwrap() * 4;
        let asked: Vec<_> = (100..100 + crowd).collect();
        let answers = join_all(asked.iter().map(|n| grouped.ask(*n))).await;
        let answers: Vec<_> = answers.into_iter().map(|it| it.unwrap().0).collect();
        assert_eq!(answers, asked);
        let statements = numbers.statements.lock().unwrap();
        assert_eq!(*statements, [AT_ONCE; 4]);
    }

    #[tokio::test]
    async fn what_is_asked_after_a_statement_began_is_answered_by_a_later_one() {
        let (numbers, grouped) = numbers();
        let later = async {
            while numbers.statements.lock().unwrap().is_empty() {
                yield_now().await;
            }
            numbers.version.store(1, Ordering::SeqCst);
            numbers.goes_on.notify_one();
            grouped.ask(2).await
        };
        let (zero, later) = tokio::join!(grouped.ask(0), later);
        assert_eq!((zero.unwrap(), later.unwrap()), ((0, 0), (2, 1)));
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_read_spoils_only_its_own_answer() {
        let (_, grouped) = numbers();
        let answers = join_all((11..16).filter(|n| *n != PANICS).map(|n| grouped.ask(n))).await;
        let failed: Vec<_> = answers.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, false, true, false]);
    }

    #[tokio::test]
    async fn a_statement_that_panics_leaves_nobody_waiting() {
        let (_, grouped) = numbers();
        let answers = join_all([grouped.ask(PANICS), grouped.ask(1)]).await;
        let codes = answers.into_iter().map(|it| it.unwrap_err().code);
        assert!(codes.eq([ErrorCode::Unavailable; 2]));
        assert_eq!(grouped.ask(1).await.unwrap().0, 1);
    }
}
