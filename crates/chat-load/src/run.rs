//! A run from its first guest to its report.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_types::account::Empty;
use chat_types::endpoint::OpenPageRoom;
use chat_types::id::{PageKey, RoomId, Seq, SiteKey, UserId};
use chat_types::room::OpenPage;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::attention::Ghosts;
use crate::audit::audit;
use crate::clock::millis;
use crate::driver::{self, Handle, Order, Persona};
use crate::faults::{Control, Felt, Phase};
use crate::history::History;
use crate::measure::{Shared, Usage, per_second, usage};
use crate::pipeline::{self, Pipeline};
use crate::proxy::{self, Network, Proxy};
use crate::quiet::Quiet;
use crate::raw::Raw;
use crate::reader;
use crate::report::{self, Connecting, Loaded, Pace, Report};
use crate::rights::{Origin, Rights};
use crate::rng::Rng;
use crate::scenario::{Load, SITE, Scenario};
use crate::server::{Account, Api, ApiError, PATIENCE, Server};
use crate::truth;

/// How often clients are asked whether they have come to rest.
const ASK: Duration = Duration::from_millis(50);
/// Where not everybody came to rest in time: a backlog that is being worked off moves within this.
const STILL: Duration = Duration::from_secs(1);
/// After the last connection, for presence to be told and memory to settle, where it is measured.
const MEMORY_SETTLES: Duration = Duration::from_secs(2);
/// How often a terminal, and how often a log is told how far a run is.
const PROGRESS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The scenario makes no sense.
    #[error("{0}")]
    Scenario(&'static str),
    /// The servers do not answer, or refuse what a run needs.
    #[error("the servers do not let the run be made")]
    Api(#[from] ApiError),
    /// Not everybody could connect in time.
    #[error(
        "{live} of {clients} clients were connected and up to date in time; see `server-flags`"
    )]
    NotConnected {
        /// Who was.
        live: u64,
        /// Of how many.
        clients: u64,
    },
    /// A file or a listener.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Whether everybody came to rest after the load.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// After so many milliseconds.
    After(u64),
    /// Not in time, and something still moved: a backlog.
    Moving,
    /// Not in time, and nothing moved any more.
    Still,
}

impl Rest {
    fn converged_ms(self) -> Option<u64> {
        match self {
            Self::After(ms) => Some(ms),
            Self::Moving | Self::Still => None,
        }
    }
}

/// Makes a run: connects everybody, sends, lets everything come to rest, and audits.
///
/// # Errors
/// [`LoadError`] when it could not be made. A run that was made and broke a promise is a
/// [`Report`].
pub async fn run(scenario: Scenario, control: Control) -> Result<Report, LoadError> {
    scenario.check()?;
    let run = Run::prepare(scenario, control).await?;
    let progress = run.scenario.progress.then(|| run.show_progress());
    let report = run.make().await;
    if let Some(progress) = progress {
        progress.abort();
    }
    report
}

struct Run {
    scenario: Scenario,
    control: Control,
    shared: Arc<Shared>,
    api: Api,
    proxies: Vec<Proxy>,
    /// Where the clients go: the servers, or the networks in front of them.
    entrances: Arc<[Server]>,
    rooms: Vec<RoomId>,
    /// Who everybody is.
    users: Vec<UserId>,
    rng: Rng,
}

/// Everybody who takes part.
#[derive(Default)]
struct Crowd {
    clients: Vec<Handle>,
    readers: Vec<Handle>,
    pipelines: Vec<Handle>,
}

impl Crowd {
    fn all(&self) -> impl Iterator<Item = &Handle> {
        let others = self.readers.iter().chain(&self.pipelines);
        self.clients.iter().chain(others)
    }
}

impl Scenario {
    fn check(&self) -> Result<(), LoadError> {
        let senders = match self.load {
            Load::Rate { senders, .. } => senders,
            Load::Idle | Load::Saturated { .. } => 0,
        };
        let problem = if self.servers.is_empty() {
            "a run needs a server"
        } else if self.rooms == 0 || self.rooms_per_client == 0 {
            "a run needs a room"
        } else if senders > self.clients {
            "there are more senders than clients"
        } else if matches!(
            self.load,
            Load::Rate { per_second: 0, .. } | Load::Rate { senders: 0, .. }
        ) {
            "a rate needs messages and senders; a load of none is `Idle`"
        } else {
            return Ok(());
        };
        Err(LoadError::Scenario(problem))
    }

    fn pipelines(&self) -> usize {
        match self.load {
            Load::Saturated { senders, .. } => senders,
            Load::Idle | Load::Rate { .. } => 0,
        }
    }

    fn everybody(&self) -> usize {
        self.clients + self.readers + self.pipelines()
    }

    fn source(&self, client: usize) -> Option<Ipv4Addr> {
        let at = u16::try_from(client)
            .unwrap_or(0)
            .checked_rem(self.sources)?;
        let [high, low] = (at / 250 * 256 + at % 250 + 1).to_be_bytes();
        Some(Ipv4Addr::new(127, 1, high, low))
    }
}

impl Run {
    async fn prepare(scenario: Scenario, control: Control) -> Result<Self, LoadError> {
        let clock = control.clock();
        // Two runs on one server differ in their rooms and texts.
        let mut rng = Rng::new(scenario.seed);
        let tag = clock.device_ms(0).0 ^ scenario.seed.rotate_left(20);
        let tag = u32::try_from(tag & u64::from(u32::MAX)).unwrap_or(0);
        let api = Api::new(None)?;
        let mut proxies = Vec::new();
        if let Some(network) = scenario.network {
            for server in &scenario.servers {
                let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let seed = rng.next_u64();
                proxies.push(Proxy::start(listen, server.address(), Network::CLEAR, seed).await?);
            }
            // Guests and rooms are made on a sound network; then it becomes what it shall be.
            for proxy in &proxies {
                proxy.become_like(network);
            }
        }
        let networks: Vec<_> = proxies.iter().map(Proxy::connections).collect();
        control.tell_networks(networks.clone());
        let shared = Arc::new(Shared::new(&control, tag, networks));
        let entrances = if proxies.is_empty() {
            scenario.servers.clone()
        } else {
            let at = |proxy: &Proxy| Server::at(proxy.address());
            proxies.iter().map(at).collect()
        };
        let mut run = Self {
            scenario,
            control,
            shared,
            api,
            proxies,
            entrances: entrances.into(),
            rooms: Vec::new(),
            users: Vec::new(),
            rng,
        };
        run.rooms = run.make_rooms().await?;
        Ok(run)
    }

    async fn make_rooms(&self) -> Result<Vec<RoomId>, LoadError> {
        let site = SITE.parse::<SiteKey>();
        let site = site.map_err(|_| LoadError::Scenario("the site's name is not one"))?;
        let mut rooms = Vec::new();
        for n in 0..self.scenario.rooms {
            let page = format!("/{:08x}/{n}", self.shared.run).parse::<PageKey>();
            let page = OpenPage {
                site: site.clone(),
                page: page.map_err(|_| LoadError::Scenario("the page's name is not one"))?,
                title: Some(format!("Load {n}")),
            };
            let server = &self.scenario.servers[n % self.scenario.servers.len()];
            let made = self
                .api
                .call_patiently::<OpenPageRoom>(server, &[], &Empty {}, &page);
            rooms.push(made.await?.room.id);
        }
        Ok(rooms)
    }

    async fn make(mut self) -> Result<Report, LoadError> {
        let before = self.usage();
        let (crowd, connecting) = self.connect(before).await?;
        let rights = self.start_rights().await?;
        let ghosts = self.start_ghosts().await?;
        let (load, rest) = self.load(&crowd).await;
        let mut beside = ghosts.end().await;
        let attention = if rest.converged_ms().is_some() {
            self.attend(&crowd, &mut beside).await?
        } else {
            report::Attention::default()
        };
        self.control.enter(Phase::Auditing);
        let mut histories = finish(&crowd).await;
        let told = count(histories.len());
        histories.append(&mut beside);
        histories.extend(rights.end().await);
        if let Some(path) = &self.scenario.histories {
            write_histories(path, &histories)?;
        }
        let servers = self.truth_from();
        let readings = truth::read(&self.api, &servers, &self.rooms, &self.shared).await?;
        let judged = tokio::task::spawn_blocking(move || audit(&histories, &readings));
        let violations = judged.await.map_err(io::Error::other)?;
        let mut report = Report {
            seed: self.scenario.seed,
            clients: count(self.scenario.clients + self.scenario.pipelines()),
            readers: count(self.scenario.readers),
            rooms: count(self.rooms.len()),
            connecting,
            load,
            to_ack: self.shared.to_ack.summary(),
            to_reader: self.shared.to_reader.summary(),
            crash_to_ack: self.shared.crash_to_ack.summary(),
            outages: self.shared.outages.summary(),
            back: self.shared.back.summary(),
            rights: self.rights_tried(),
            attention,
            faults: self.shared.log.counts(),
            network: self.network_done(),
            converged_ms: rest.converged_ms(),
            moving: rest == Rest::Moving,
            stragglers: self.shared.stragglers(),
            violations,
            below: Vec::new(),
        };
        self.judge_floors(&mut report);
        let everybody = count(self.scenario.everybody());
        if told < everybody {
            let below = format!("the histories of {told} of {everybody} clients");
            report.below.push(below);
        }
        Ok(report)
    }

    /// The number of the first of those who come after the crowd and so many others.
    fn number_after(&self, others: usize) -> u32 {
        u32::try_from(self.scenario.everybody() + others).unwrap_or(u32::MAX)
    }

    fn attended(&self) -> &[RoomId] {
        let attended = self.scenario.attended_rooms.min(self.rooms.len());
        &self.rooms[..attended]
    }

    async fn start_rights(&mut self) -> Result<Rights, ApiError> {
        let first = self.number_after(0);
        let origin = Origin {
            servers: &self.entrances,
            api: &self.api,
            shared: &self.shared,
        };
        Rights::start(origin, self.scenario.private_rooms, first, &mut self.rng).await
    }

    async fn start_ghosts(&mut self) -> Result<Ghosts, ApiError> {
        let first = self.number_after(Rights::of(self.scenario.private_rooms));
        let rooms = self.attended().to_vec();
        let origin = Origin {
            servers: &self.entrances,
            api: &self.api,
            shared: &self.shared,
        };
        Ghosts::start(origin, &rooms, first, &mut self.rng).await
    }

    /// Looks at what may be lost, while nothing else happens.
    async fn attend(
        &mut self,
        crowd: &Crowd,
        beside: &mut Vec<History>,
    ) -> Result<report::Attention, ApiError> {
        let rooms = self.attended().to_vec();
        if rooms.is_empty() {
            return Ok(report::Attention::default());
        }
        let others = Rights::of(self.scenario.private_rooms) + Ghosts::of(rooms.len());
        let mut there: HashMap<RoomId, BTreeSet<UserId>> = HashMap::new();
        let followers = self.scenario.clients + self.scenario.readers;
        for (client, user) in self.users.iter().enumerate().take(followers) {
            for room in self.rooms_of(client) {
                there.entry(room).or_default().insert(*user);
            }
        }
        let quiet = Quiet {
            clients: &crowd.clients,
            there,
            rooms,
            servers: self.truth_from(),
            api: &self.api,
            shared: &self.shared,
            number: self.number_after(others),
        };
        quiet.attend(beside, &mut self.rng).await
    }

    fn rights_tried(&self) -> report::Rights {
        let counters = &self.shared.counters;
        report::Rights {
            ended: counters.rights_ended.get(),
            let_in: counters.let_in.get(),
            kept_out: counters.kept_out.get(),
        }
    }

    fn truth_from(&self) -> Vec<Server> {
        if self.scenario.read_from.is_empty() {
            self.scenario.servers.clone()
        } else {
            self.scenario.read_from.clone()
        }
    }

    fn usage(&self) -> Usage {
        usage(&self.scenario.pids)
    }

    async fn connect(&mut self, before: Usage) -> Result<(Crowd, Connecting), LoadError> {
        let began = Instant::now();
        let accounts = self.make_guests().await?;
        let users = accounts.iter().map(|(account, _)| account.user.id);
        self.users = users.collect();
        let everybody = count(self.scenario.everybody());
        let guests = self.pace(everybody, began, before);
        let (began, made) = (Instant::now(), self.usage());
        let until = began + self.scenario.connect_within;
        let mut crowd = Crowd::default();
        for (client, (account, api)) in accounts.into_iter().enumerate() {
            self.start_client(client, account, api, &mut crowd);
            self.let_connect(client, until).await;
        }
        let left = until.saturating_duration_since(Instant::now());
        if !self.shared.all_live(everybody, left).await {
            return Err(LoadError::NotConnected {
                live: self.shared.live().live,
                clients: everybody,
            });
        }
        let connections = self.pace(everybody, began, made);
        if !self.scenario.pids.is_empty() {
            tokio::time::sleep(MEMORY_SETTLES).await;
        }
        let after = self.usage();
        let grown_kib = after.resident_kib.saturating_sub(before.resident_kib);
        let connecting = Connecting {
            guests,
            connections,
            resident_before_kib: before.resident_kib,
            resident_after_kib: after.resident_kib,
            bytes_per_connection: grown_kib * 1024 / everybody.max(1),
        };
        Ok((crowd, connecting))
    }

    /// How fast `count` things were done since `began`, when the servers had used `before`.
    fn pace(&self, count: u64, began: Instant, before: Usage) -> Pace {
        let took = began.elapsed();
        let server_cpu_ms = self.usage().cpu_ms.saturating_sub(before.cpu_ms);
        let per_cpu_second = count.saturating_mul(1_000).checked_div(server_cpu_ms);
        Pace {
            count,
            ms: millis(took),
            per_second: per_second(count, took),
            server_cpu_ms,
            per_cpu_second: per_cpu_second.unwrap_or(0),
        }
    }

    /// A guest for each client, made past the bad networks.
    async fn make_guests(&self) -> Result<Vec<(Account, Api)>, LoadError> {
        let sources = usize::from(self.scenario.sources.max(1));
        let mut apis = Vec::new();
        for source in 0..sources {
            apis.push(Api::new(self.scenario.source(source))?);
        }
        let clock = self.shared.clock;
        let guests = (0..self.scenario.everybody()).map(|client| {
            let api = apis[client % sources].clone();
            let server = &self.scenario.servers[client % self.scenario.servers.len()];
            let name = format!("u{:03x} {client}", self.shared.run & 0xfff);
            async move {
                let account = Account::join(&api, server, clock, name).await?;
                Ok::<_, ApiError>((account, api))
            }
        });
        let guests = stream::iter(guests).buffered(self.scenario.connecting_at_once.max(1));
        Ok(guests.try_collect().await?)
    }

    fn start_client(&mut self, client: usize, account: Account, api: Api, crowd: &mut Crowd) {
        let scenario = &self.scenario;
        let number = u32::try_from(client).unwrap_or(u32::MAX);
        let source = scenario.source(client);
        let rooms = self.rooms_of(client);
        let rng = self.rng.fork();
        if client < scenario.clients {
            let persona = Persona {
                client: number,
                account,
                servers: Arc::clone(&self.entrances),
                api,
                source,
                rooms,
                skew_ms: skew_ms(client, scenario.skew),
                impatient: scenario.impatient,
                body_bytes: scenario.body_bytes,
                rng,
            };
            let client = driver::start(persona, Arc::clone(&self.shared));
            return crowd.clients.push(client);
        }
        let servers = Arc::clone(&self.entrances);
        let mut raw = Raw::new(account, servers, api, source, rng, Arc::clone(&self.shared));
        raw.impatient = scenario.impatient;
        if client < scenario.clients + scenario.readers {
            return crowd.readers.push(reader::start(number, raw, &rooms));
        }
        if let Load::Saturated { window, .. } = scenario.load {
            let plan = Pipeline {
                client: number,
                rooms,
                window,
                body_bytes: scenario.body_bytes,
            };
            crowd.pipelines.push(pipeline::start(plan, raw));
        }
    }

    fn rooms_of(&self, client: usize) -> Vec<RoomId> {
        let rooms = self.rooms.len();
        let per_client = self.scenario.rooms_per_client.min(rooms);
        let first = client * per_client;
        (first..first + per_client)
            .map(|at| self.rooms[at % rooms])
            .collect()
    }

    /// Lets the next one start when few enough are connecting.
    async fn let_connect(&self, client: usize, until: Instant) {
        let at_once = count(self.scenario.connecting_at_once.max(1));
        let started = count(client + 1);
        let mut live = self.control.live();
        let few = live.wait_for(|live| live.live + at_once > started);
        // Who does not get there is counted at the end.
        let _ = tokio::time::timeout_at(until, few).await;
    }

    /// Sends, waits for the end of the faults, and lets everybody come to rest.
    async fn load(&mut self, crowd: &Crowd) -> (Loaded, Rest) {
        let cpu_before_ms = self.usage().cpu_ms;
        let delivered_before = self.shared.counters.deliveries.get();
        let began = Instant::now();
        self.control.enter(Phase::Loading);
        let (time, control) = (self.scenario.time, self.control.clone());
        let over = async {
            tokio::time::sleep(time).await;
            control.calm().await;
        };
        tokio::select! {
            () = over => {}
            () = self.send(crowd) => {}
        }
        for pipeline in &crowd.pipelines {
            pipeline.tell(Order::Saturate(false));
        }
        let took = began.elapsed();
        let counters = &self.shared.counters;
        let acked_in_time = counters.acked.get();
        self.control.enter(Phase::Settling);
        let rest = self.settle(crowd).await;
        let after = self.usage();
        let server_cpu_ms = after.cpu_ms.saturating_sub(cpu_before_ms);
        let deliveries = counters.deliveries.get().saturating_sub(delivered_before);
        let per_cpu_second = deliveries.saturating_mul(1_000).checked_div(server_cpu_ms);
        let loaded = Loaded {
            ms: millis(took),
            sent: counters.sent.get(),
            acked: counters.acked.get(),
            acked_per_second: per_second(acked_in_time, took),
            refused: counters.refused.get(),
            retried: counters.retried.get(),
            deliveries,
            deliveries_per_second: per_second(deliveries, took),
            server_cpu_ms,
            deliveries_per_cpu_second: per_cpu_second.unwrap_or(0),
            resident_kib: after.resident_kib,
            lost_connections: counters.lost.get(),
            resumes: counters.resumes.get(),
            fresh: counters.fresh.get(),
            resyncs: counters.resyncs.get(),
        };
        (loaded, rest)
    }

    async fn send(&mut self, crowd: &Crowd) {
        match self.scenario.load {
            Load::Idle => std::future::pending().await,
            Load::Saturated { .. } => {
                for pipeline in &crowd.pipelines {
                    pipeline.tell(Order::Saturate(true));
                }
                std::future::pending::<()>().await;
            }
            Load::Rate {
                senders,
                per_second,
            } => self.send_at_rate(crowd, senders, per_second).await,
        }
    }

    /// Each message has its time, whatever became of those before it.
    async fn send_at_rate(&mut self, crowd: &Crowd, senders: usize, per_second: u32) {
        let clock = self.shared.clock;
        let interval_us = 1_000_000 / u64::from(per_second).max(1);
        let mut due_us = clock.now_us();
        loop {
            tokio::time::sleep_until(clock.instant(due_us).into()).await;
            let sender = self.rng.index(senders);
            let rooms = self.rooms_of(sender);
            let room = rooms[self.rng.index(rooms.len())];
            crowd.clients[sender].tell(Order::Write { room, due_us });
            let mix = self.scenario.mix;
            for (percent, order) in [
                (mix.edits, Order::Edit),
                (mix.deletes, Order::Delete),
                (mix.reactions, Order::React),
            ] {
                if self.rng.happens(percent * 10_000) {
                    crowd.clients[sender].tell(order);
                }
            }
            due_us += interval_us;
        }
    }

    /// Waits until everybody shows everything and waits for nothing.
    async fn settle(&self, crowd: &Crowd) -> Rest {
        let began = Instant::now();
        let until = began + self.scenario.converge_within;
        if self.all_rest(crowd, until).await.is_some() {
            return Rest::After(millis(began.elapsed()));
        }
        let counters = &self.shared.counters;
        let before = counters.moved();
        tokio::time::sleep(STILL).await;
        if counters.moved() == before {
            Rest::Still
        } else {
            Rest::Moving
        }
    }

    async fn all_rest(&self, crowd: &Crowd, until: Instant) -> Option<()> {
        for proxy in &self.proxies {
            proxy.become_like(Network::CLEAR);
        }
        for client in crowd.all() {
            client.tell(Order::Online);
        }
        all_settled(crowd, &Arc::default(), until).await?;
        let servers = self.truth_from();
        let heads = truth::heads(&self.api, &servers, &self.rooms).await.ok()?;
        all_settled(crowd, &Arc::new(heads), until).await
    }

    fn network_done(&self) -> proxy::Done {
        let done = self.proxies.iter().map(Proxy::done);
        done.fold(proxy::Done::default(), |sum, one| proxy::Done {
            accepted: sum.accepted + one.accepted,
            cuts: sum.cuts + one.cuts,
            stalls: sum.stalls + one.stalls,
            losses: sum.losses + one.losses,
            bytes: sum.bytes + one.bytes,
        })
    }

    fn judge_floors(&self, report: &mut Report) {
        if report.network.cuts > 0 {
            let felt = Felt {
                injected: report.network.cuts,
                felt: self.shared.counters.cuts_felt.get(),
                ..Felt::default()
            };
            report.faults.insert("connection cut".to_owned(), felt);
        }
        let floors = &self.scenario.floors;
        let idle = self.scenario.load == Load::Idle;
        let of_load = |floor| if idle { 0 } else { floor };
        // Where there are private rooms, something has to have been tried there.
        let closed = u64::from(self.scenario.private_rooms > 0);
        let attended = u64::from(self.scenario.attended_rooms > 0);
        let did = [
            ("acked", report.load.acked, of_load(floors.acked)),
            (
                "deliveries",
                report.load.deliveries,
                of_load(floors.deliveries),
            ),
            ("faults felt", report.faults_felt(), floors.faults),
            ("resumes", report.load.resumes, floors.resumes),
            ("rights ended", report.rights.ended, closed),
            ("messages given to members", report.rights.let_in, closed),
            ("strangers kept out", report.rights.kept_out, closed),
            ("screens watched", report.attention.screens, attended),
            ("rooms in quiet", report.attention.rooms, attended),
        ];
        let below = did.into_iter().filter(|(_, did, floor)| did < floor);
        let below = below.map(|(what, did, floor)| format!("{did} {what} of at least {floor}"));
        report.below = below.collect();
        report.below.extend(floors.hardly_felt(&report.faults));
    }

    #[expect(
        clippy::print_stderr,
        reason = "the progress of a program that is asked for it"
    )]
    fn show_progress(&self) -> JoinHandle<()> {
        let shared = Arc::clone(&self.shared);
        let on_terminal = io::stderr().is_terminal();
        let every = if on_terminal { PROGRESS.0 } else { PROGRESS.1 };
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(every);
            let mut before = (0, 0);
            loop {
                ticks.tick().await;
                let (live, counters) = (shared.live(), &shared.counters);
                let now = (counters.acked.get(), counters.deliveries.get());
                eprintln!(
                    "{:>5} s: {} of {} live, {} sent, {} acked ({}/s), {} delivered ({}/s), {} lost, {} resumed",
                    shared.clock.now_us() / 1_000_000,
                    live.live,
                    live.clients,
                    counters.sent.get(),
                    now.0,
                    per_second(now.0.saturating_sub(before.0), every),
                    now.1,
                    per_second(now.1.saturating_sub(before.1), every),
                    counters.lost.get(),
                    counters.resumes.get(),
                );
                before = now;
            }
        })
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Every second client's clock is wrong, half of them early and half of them late.
fn skew_ms(client: usize, skew: Duration) -> i64 {
    let skew = i64::try_from(millis(skew)).unwrap_or(i64::MAX);
    match client % 4 {
        1 => skew,
        3 => -skew,
        _ => 0,
    }
}

/// Asks until everybody says so. `None`: not in time.
async fn all_settled(
    crowd: &Crowd,
    heads: &Arc<HashMap<RoomId, Seq>>,
    until: Instant,
) -> Option<()> {
    for client in crowd.all() {
        loop {
            let (to, answer) = oneshot::channel();
            let heads = Arc::clone(heads);
            client.tell(Order::IsSettled { heads, to });
            let settled = tokio::time::timeout_at(until, answer).await.ok()?;
            if settled.unwrap_or(false) {
                break;
            }
            if Instant::now() + ASK > until {
                return None;
            }
            tokio::time::sleep(ASK).await;
        }
    }
    Some(())
}

/// Ends everybody and collects what they saw.
async fn finish(crowd: &Crowd) -> Vec<History> {
    let asked = crowd.all().map(|client| {
        let (to, history) = oneshot::channel();
        client.tell(Order::Finish(to));
        history
    });
    let asked: Vec<_> = asked.collect();
    let mut histories = Vec::new();
    for history in asked {
        if let Ok(Ok(history)) = tokio::time::timeout(PATIENCE, history).await {
            histories.push(history);
        }
    }
    histories
}

fn write_histories(path: &Path, histories: &[History]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for history in histories {
        history.write(&mut file)?;
    }
    file.flush()
}
