"""What Frontdesk promises: each behaviour has an id, a sentence and a source, and at least one test that holds it.

To add one: put a row into the tuple of its area (or add an area: a tuple with a name in capitals), and mark the test:

    @pytest.mark.behaviour("mailbox.once")
    async def test_an_event_that_comes_twice_is_accepted_once(...): ...

A test may hold several (`behaviour("a.b", "a.c")`); a class, a module (`pytestmark`) and a case of a parametrized test
(`pytest.param(…, marks=…)`) may be marked too. An id is `area.word`; the sentence says what somebody outside can see;
the source is where it is promised. `make check` fails when a behaviour has no test, or a test names one that is not
here; `pytest --collect-only -qq --list-behaviours` shows which test holds what.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One promise: `source` names the document and section, the scenario, or the fault that asks for it."""

    id: str
    sentence: str
    source: str


EMBEDDED = (
    Behaviour(
        "embedded.durable",
        "What the embedded Redis has acknowledged is there after the process was killed and started again.",
        "design 5, appendfsync always",
    ),
    Behaviour(
        "embedded.alone",
        "A second Frontdesk on the same data folder is told so and starts nothing.",
        "design 9, FRONTDESK_DATA_DIR",
    ),
    Behaviour(
        "embedded.orphan",
        "After `kill -9` no Redis stays behind that keeps the next start from working.",
        "acceptance 21",
    ),
    Behaviour(
        "embedded.interrupt",
        "Ctrl-C in the terminal does not reach Redis before the worker has drained.",
        "design 5, SIGTERM drains",
    ),
    Behaviour(
        "embedded.damaged",
        "A damaged append-only file is left as it is, and the error names the command that mends it.",
        "fault F15",
    ),
    Behaviour(
        "embedded.found",
        "Without a Redis of version 6.2 or newer the error says what to install.",
        "issue 2, make demo",
    ),
    Behaviour(
        "embedded.path",
        "A data folder with a long path, or with spaces, works like any other.",
        "facts/libraries, embedded Redis",
    ),
)

REPOSITORY = (
    Behaviour(
        "repository.locked",
        "Every package that is installed is pinned, with its hashes.",
        "facts/libraries, lock",
    ),
    Behaviour(
        "repository.declared",
        "The project asks for the packages that it imports, and for no others.",
        "facts/libraries",
    ),
    Behaviour(
        "repository.portable",
        "No file names a package registry, a mirror, or a path of one machine.",
        "facts/libraries, lock",
    ),
    Behaviour(
        "repository.settings",
        "Every setting is in `deploy/env.example`.",
        "design 9, settings",
    ),
    Behaviour(
        "repository.behaviours",
        "Every promised behaviour has a test, and every test that names a behaviour names one that is promised.",
        "style, habit 7",
    ),
)

MAILBOX = (
    Behaviour("mailbox.once", "An event is accepted once, by whichever of its identities it comes again.", "design 5"),
    Behaviour("mailbox.holder", "One worker at a time holds a thread, and only its writes count.", "design 5"),
    Behaviour("mailbox.takeover", "A dead worker's thread is taken over when its lease has run out.", "design 5, F01"),
    Behaviour("mailbox.zombie", "A worker that lost its lease changes nothing any more.", "design 5, F04"),
    Behaviour(
        "mailbox.order",
        "Mail is taken in the order in which it was accepted; what is taken together stands as it was written.",
        "design 5, F39",
    ),
    Behaviour("mailbox.author", "A turn takes the consecutive mail of one author, and of nobody else.", "design 4"),
    Behaviour("mailbox.parallel", "A busy thread keeps no other thread waiting.", "design 4"),
    Behaviour("mailbox.retried", "An operation that the client sends twice happens once.", "design 5, F13"),
    Behaviour("mailbox.commit", "A committed reply is the reply of its turn, whoever delivers it.", "design 8"),
    Behaviour("mailbox.join", "Mail of the same author joins a running turn; mail of others waits.", "design 4"),
    Behaviour(
        "mailbox.address", "What is for nobody here is not stored, except while a human has the thread.", "design 4"
    ),
    Behaviour("mailbox.edit", "An edit before the turn changes the message; a delete takes it away.", "acceptance 10"),
    Behaviour(
        "mailbox.erase", "A message that is deleted later is emptied on the record; nothing moves.", "acceptance 10"
    ),
    Behaviour(
        "mailbox.full", "An overload is refused before the event counts as seen, so it can come again.", "F12, F20"
    ),
    Behaviour(
        "mailbox.dead", "After the last attempt a turn is a dead letter, and a retry makes one new turn.", "F17, F19"
    ),
    Behaviour(
        "mailbox.orders", "An order stands until the running turn has heard it; stopping changes no mode.", "design 4"
    ),
    Behaviour(
        "mailbox.backoff", "A released thread is due again after its back-off; a drain costs no attempt.", "design 5"
    ),
    Behaviour("mailbox.idle", "A settled thread leaves nothing on the agenda and nothing counted as open.", "design 5"),
    Behaviour("mailbox.window", "A claim reads no more of a long record than its window.", "issue 2"),
    Behaviour("mailbox.partitions", "Every partition serves its threads, and their number cannot change.", "design 5"),
    Behaviour(
        "mailbox.safe", "A Redis that would lose what was accepted is refused in production.", "issue 3, issue 6"
    ),
    Behaviour("mailbox.model", "Whatever happens in whatever order, the mailbox does what its model does.", "issue 3"),
    Behaviour("mailbox.refs", "The platform messages of a turn are known to whoever takes it over.", "design 8"),
)

STATE = (
    Behaviour("state.facts", "Shared facts are seen by every process, and by no other owner.", "design 2"),
    Behaviour("state.compare", "Of several who set the same fact at once, one wins.", "design 3"),
    Behaviour("state.agenda", "An item comes up at its time for one who asks, until it is dealt with.", "issue 6"),
    Behaviour("state.log", "A log keeps its order, and a subscriber misses nothing after its first item.", "design 3"),
)

ACCEPTANCE = (
    Behaviour("acceptance.order", "An order is looked up once, told in full, and remembered.", "acceptance 1"),
    Behaviour("acceptance.chat", "Small talk calls no tool and opens no ticket.", "acceptance 2"),
    Behaviour("acceptance.login", "A problem becomes one ticket, and the answer names its number.", "acceptance 3"),
    Behaviour("acceptance.receipt", "A receipt is read, and a complaint about it becomes a ticket.", "acceptance 4"),
    Behaviour("acceptance.ticket", "A ticket's status is told to its verified owner only.", "acceptance 5"),
    Behaviour("acceptance.secret", "A key that was typed works, and stands nowhere in the clear.", "acceptance 6"),
    Behaviour(
        "acceptance.wrong_email", "A wrong e-mail and an unknown id get the same words, a few times.", "acceptance 8"
    ),
    Behaviour("acceptance.two_tools", "Two calls, one refused: each has its result, in order.", "acceptance 12"),
    Behaviour(
        "acceptance.bad_calls",
        "A malformed, unknown or unfitting call goes back to the model.",
        "acceptance 12, F30, F31",
    ),
    Behaviour(
        "acceptance.tool_fails",
        "A tool raises, then hangs: no word of it is told, and a ticket helps.",
        "acceptance 13",
    ),
    Behaviour(
        "acceptance.loops", "A model that loops is stopped with an honest answer; the thread goes on.", "acceptance 14"
    ),
    Behaviour(
        "acceptance.attachments", "What is no receipt gets its own honest sentence, one kind by one.", "acceptance 15"
    ),
    Behaviour(
        "acceptance.injection", "What stands in a picture or a tool's result is data, and is not done.", "acceptance 16"
    ),
    Behaviour("acceptance.mentions", "Mentions and unlisted links in an answer do nothing.", "acceptance 16, 17"),
    Behaviour("acceptance.numbers", "A ticket number that nobody was given is withheld.", "R4"),
    Behaviour("acceptance.languages", "German, Japanese and emoji go through unchanged.", "acceptance 19"),
)

PEOPLE = (
    Behaviour("people.typed_key", "Who types a key where others read along is told to change it.", "acceptance 6"),
    Behaviour("people.other", "Somebody else in a thread is not served with another's verification.", "acceptance 7"),
    Behaviour("people.form", "A private form serves only the person to whom it was offered.", "acceptance 7"),
    Behaviour(
        "people.quick", "Quick messages are answered together; later ones next; never two at a time.", "acceptance 9"
    ),
    Behaviour("people.twice", "A message that comes twice is answered once.", "acceptance 9"),
    Behaviour(
        "people.edit", "An edit before the turn changes it; after, it is a note and no second answer.", "acceptance 10"
    ),
    Behaviour("people.delete", "A deleted message is forgotten.", "acceptance 10"),
    Behaviour(
        "leaks.commands", "A secret in a command is neither on the audit nor on a ticket.", "F67; issue 6, /support"
    ),
    Behaviour("leaks.settings", "What adapters keep secret leaves in no answer, log or trace.", "R4, R7"),
    Behaviour("leaks.keys", "Everything in Redis that grows with conversations has an end of its own.", "design 5"),
    Behaviour("leaks.file_names", "A secret in a file's name is masked before it is stored.", "F67"),
    Behaviour(
        "people.delivered_later",
        "An answer that a platform cannot take is brought again until it can, for a quarter of an hour.",
        "nothing accepted is lost",
    ),
    Behaviour("people.humans", "People who talk to each other are left alone, and not stored.", "acceptance 11"),
    Behaviour("people.human", "A human takes over, is on the record, and hands back.", "acceptance 20"),
    Behaviour(
        "people.fault",
        "A tool that fails brings the conversation to the team, who may take it; the bot offers a ticket and goes on.",
        "acceptance 13, issue 6",
    ),
    Behaviour("people.staff_only", "Only staff give commands; a take-over stops the answer.", "acceptance 20, F70"),
    Behaviour("people.stop", "A stopped answer keeps what was said and leaves a valid record.", "design 4, orders"),
    Behaviour("people.parallel", "Threads do not wait for each other.", "design 4"),
)

CRASHES = (
    Behaviour("crash.human", "A process killed while it calls a human leaves the call to the next.", "acceptance 21"),
    Behaviour("crash.zombie", "A paused worker that wakes up writes and posts nothing.", "F04"),
    Behaviour("crash.blocked", "A worker whose loop was held up writes and posts nothing any more.", "F05"),
    Behaviour("crash.heartbeat", "What one turn waits for costs no other turn its thread.", "design 4, orders"),
    Behaviour("crash.poison", "A message that ends or crashes its worker is given up; its thread goes on.", "F17, F18"),
    Behaviour("crash.drain", "A stop completes what runs, gives back the rest uncounted, and exits with 0.", "F06"),
    Behaviour("crash.many", "Several processes share the work and answer each message once.", "design 4"),
    Behaviour(
        "crash.once", "Killed anywhere, a fresh process leaves one ticket, one answer, a whole record.", "acceptance 21"
    ),
)

MACHINES = (
    Behaviour("machines.connections", "A command that was cut off, or a closed connection, costs no other.", "F13"),
    Behaviour("machines.address", "REDIS_URL names one Redis, a cluster or sentinels; its forms are told.", "issue 3"),
    Behaviour("machines.cluster", "The mailbox and shared state keep their word on a Redis Cluster.", "design 5"),
    Behaviour("machines.one_of_three", "A master that is away costs only the threads that it keeps.", "issue 3"),
    Behaviour("machines.failover", "After a fail-over the old owner is rejected and talks go on.", "F10, F11"),
    Behaviour("machines.lost_replies", "What Redis did and nobody heard of is not done twice.", "F13"),
    Behaviour("machines.claims", "No thread waits for another's claim, or behind whoever was woken later.", "issue 3"),
    Behaviour("machines.flood", "A flood in one thread is refused beyond its limit and keeps no other waiting.", "F20"),
    Behaviour("machines.workers_away", "What came while no worker was there is answered in order.", "F21"),
    Behaviour("machines.killed", "Redis is killed and started again: what was accepted is answered once.", "F07"),
    Behaviour("machines.frozen", "While Redis hangs, every event is refused within two seconds.", "F08"),
    Behaviour("machines.emptied", "Redis loses everything: the turn stops and says so; the next one works.", "F09"),
    Behaviour("machines.busy", "A Redis that a script holds up is waited for; nothing is lost or shown.", "F14"),
    Behaviour("machines.loading", "A Redis that loads its file is waited for; nothing is lost or shown.", "F14"),
    Behaviour("machines.clock", "Redis' clock jumps a minute either way: one answer, and leases end in time.", "F16"),
    Behaviour("machines.readonly", "A demoted master is left, and a master is found again.", "F10"),
    Behaviour("machines.scripts", "Scripts that Redis has forgotten are not missed.", "F14"),
    Behaviour("machines.full_disk", "A Redis that cannot write accepts nothing; it goes on when it can.", "F22"),
)

PAGE = (
    Behaviour(
        "page.streams", "An answer is seen while it is written, and stands once when it is done.", "issue 2, page"
    ),
    Behaviour("page.once", "A message that the page sends again is one message.", "acceptance 9"),
    Behaviour("page.busy", "What is not taken is said politely, and nothing typed is lost.", "design 5"),
    Behaviour("page.late", "Who opens the page while an answer is written sees what others see.", "issue 2, page"),
    Behaviour(
        "page.resumes", "A connection that broke goes on where it stopped, nothing missed or twice.", "issue 2, page"
    ),
    Behaviour("page.takeover", "A worker that takes over replaces the shown text, never adds a copy.", "design 8"),
    Behaviour("page.secrets", "What was typed as a secret stands nowhere in what the page keeps.", "acceptance 6"),
    Behaviour("page.files", "A picture is shown as a picture; any other file is a download.", "F59, F62"),
    Behaviour("page.limits", "Bodies and files beyond the limits are refused while they arrive.", "R6, F45"),
    Behaviour("page.forgets", "What is edited or deleted on the page is forgotten by it.", "acceptance 10"),
    Behaviour("page.own", "Only who wrote a message can change it.", "acceptance 10"),
    Behaviour("page.form", "The private form is seen and used by one person.", "acceptance 5, 7"),
    Behaviour("page.desk", "On the page a human is called, and a colleague takes, reads and closes a case.", "issue 6"),
    Behaviour(
        "page.staff", "A colleague takes over on the page and hands back; customers give no commands.", "acceptance 20"
    ),
    Behaviour("page.addressed", "Who is not addressed is told how to ask.", "acceptance 11"),
    Behaviour("page.record", "The inspector shows the record exactly as it is kept.", "issue 2, page"),
    Behaviour(
        "page.headers", "Every response forbids framing, sniffing, inline script and foreign content.", "R6, F73"
    ),
    Behaviour("page.origin", "A write from another page, or under another name, is refused.", "R6, F73"),
    Behaviour("page.off", "Without a token there is no page in production.", "design 9"),
    Behaviour("page.token", "In production the token opens the page, and guessing it is slow.", "R6, F73"),
    Behaviour("page.alone", "In production everybody sees and writes their own conversations only.", "design 9"),
    Behaviour("page.stops", "Open pages do not keep a process from stopping.", "design 5, SIGTERM drains"),
    Behaviour("page.inert", "Nothing that people or models write becomes markup.", "R6, F73"),
    Behaviour("page.keyboard", "The page is used with the keyboard alone.", "issue 2, page"),
    Behaviour("page.phone", "The page works on a phone.", "issue 2, page"),
    Behaviour("page.picture", "Pictures are pasted, dropped or chosen, and a receipt is a table.", "issue 2, page"),
    Behaviour("page.speakers", "In the demo anybody may be played, and sees what is theirs.", "acceptance 7"),
)

FAULTS = (
    Behaviour(
        "faults.model_retried",
        "A passing fault of the model is tried again; nothing is doubled.",
        "acceptance 22, F24-F29",
    ),
    Behaviour(
        "faults.model_down",
        "After the tries comes one apology; the message can be answered later.",
        "acceptance 22, F23",
    ),
    Behaviour("faults.model_hangs", "A model that falls silent is left and asked again.", "F25"),
    Behaviour("faults.turn_time", "A turn that takes too long ends with an honest sentence.", "design 6"),
    Behaviour("faults.loop", "A model that loops is stopped at the limit; the thread goes on.", "acceptance 14, F33"),
    Behaviour("faults.many_calls", "Of many calls at once eight run; each has its result.", "F32"),
    Behaviour("faults.finish", "An answer that was cut or withheld says so.", "F35"),
    Behaviour(
        "faults.tool",
        "A tool that fails or hangs gives a short error; its text reaches nobody.",
        "acceptance 13, F63, F64",
    ),
    Behaviour("faults.window", "A context that is too long is cut to half, once.", "F34"),
)

OPERATE = (
    Behaviour(
        "operate.check", "`check` shows what each platform says of itself, and each problem with its mend.", "issue 6"
    ),
    Behaviour(
        "operate.refused", "A start in production that would lose data or leak is refused with the mend.", "issue 6"
    ),
    Behaviour("operate.key", "The key in the data folder is made whole or not at all; an empty one is refused.", "R7"),
    Behaviour("operate.proxied", "A proxy on the same machine does not open `/metrics` to others.", "design 9"),
    Behaviour("operate.slow", "Who connects and does not say what they want is left after a while.", "F45, R6"),
    Behaviour("operate.metrics", "What came in, what waits, what was done and what it cost is counted.", "issue 6"),
    Behaviour("operate.waits", "Waits that a platform's or model's rate limit asks for are counted.", "issue 6"),
    Behaviour("operate.no_person", "No label of a metric holds a person, a thread or a text.", "issue 6"),
    Behaviour("operate.ready", "A process that cannot serve says so, and by which part; it lives on.", "issue 6, F22"),
    Behaviour("operate.clock", "A clock that is wrong is noticed before every signed request is refused.", "F75"),
)

ROLES = (
    Behaviour(
        "roles.split", "Sockets and turns run in processes of their own, several of each on one Redis.", "issue 6"
    ),
    Behaviour("roles.rolling", "A rolling restart under load loses and doubles nothing.", "issue 6, F06"),
    Behaviour("roles.workers_away", "Without workers everything is accepted, and answered later in order.", "F21"),
    Behaviour("roles.switch", "The switch ends running answers on every worker process within a second.", "issue 6"),
    Behaviour("roles.refused", "Processes that could not work together are refused with the mend.", "issue 6"),
)

UPGRADES = (
    Behaviour("upgrade.records", "What a newer version wrote is left to it, uncounted, and never given up.", "F65"),
    Behaviour("upgrade.tables", "A process of the version before starts on newer tables.", "issue 6, F65"),
)

FORGETTING = (
    Behaviour("forget.person", "A person who is forgotten stands nowhere any more; others lose nothing.", "issue 6"),
    Behaviour("forget.proof", "That nothing is left is shown by looking everywhere, and told.", "issue 6"),
    Behaviour("forget.running", "Who is forgotten while being answered is not answered any more.", "issue 6"),
    Behaviour("retention.rows", "What is older than the retention is deleted, by one process at a time.", "issue 6"),
)

REPORTS = (
    Behaviour(
        "report.numbers", "A report counts what happened, per day and channel, from rows without text.", "issue 6"
    ),
    Behaviour("report.once", "A turn that was tried again is one turn, at the price of all its tries.", "issue 6"),
    Behaviour("report.away", "A database that is away costs reports nothing that fits into memory.", "issue 6"),
    Behaviour(
        "report.unresolved",
        "Who works here sees each channel's numbers and what was not resolved, with links; nobody else does.",
        "issue 6",
    ),
    Behaviour("report.command", "`frontdesk report` prints it, also for a spreadsheet.", "issue 6"),
)

LIMITS = (
    Behaviour("limits.read", "A limit is written in calls, tokens and money, and what is wrong is said.", "issue 6"),
    Behaviour("limits.counted", "What is spent is counted per thread, person, organisation and day.", "issue 6"),
    Behaviour("limits.shared", "What one process spends another knows; what Redis missed is brought later.", "issue 6"),
    Behaviour("limits.idle", "Of threads in which nobody speaks no count stays in the process.", "issue 3"),
    Behaviour("limits.polite", "At a limit the customer is told once, the admins once, no model is asked.", "issue 6"),
    Behaviour("limits.ticket", "Whoever the model may not serve can still open a ticket.", "issue 6"),
    Behaviour("limits.turn", "A turn that has spent what it may ends with an honest sentence.", "issue 6"),
    Behaviour("limits.messages", "Who sends 500 messages an hour is told once and costs no model call.", "F76"),
    Behaviour("breaker.states", "A part that keeps failing is left alone, then tried by one.", "issue 6"),
    Behaviour("breaker.model", "While the model is left alone customers are told at once, and operators.", "issue 6"),
    Behaviour("breaker.tool", "A tool that keeps failing is left alone; the model is told, others work.", "F64"),
    Behaviour("traces.turn", "A turn is one trace, with a span for each model request and tool call.", "issue 6"),
    Behaviour("traces.masked", "A trace holds what was said only when asked to, and secrets never.", "issue 6"),
    Behaviour(
        "traces.off", "Without a place for traces there are none; with one that is away nothing waits.", "issue 6"
    ),
)

CONFIG = (
    Behaviour("config.readable", "Everything that is wrong is said at once, by name, without a secret.", "design 9"),
    Behaviour("config.defaults", "Absent and empty settings have their documented defaults.", "design 9"),
    Behaviour("config.files", "A secret can come from a file.", "design 9"),
    Behaviour("config.secrets", "Every secret setting is masked wherever it might appear.", "mission"),
)

LANGUAGE = (
    Behaviour("language.sentences", "Every fixed sentence of a conversation is there in German too.", "acceptance 19"),
    Behaviour("language.heard", "Words tell the language of who wrote them, or nothing does.", "acceptance 19"),
    Behaviour(
        "language.spoken",
        "What is said without a model is said in the channel's language, or that of the last words.",
        "acceptance 19",
    ),
)

CLI = (
    Behaviour("cli.audit", "The audit is printed, and nothing can change it.", "issue 6"),
    Behaviour("cli.readable", "Wrong settings end in one readable list and status 2, never a traceback.", "issue 2"),
    Behaviour("cli.check", "`check` reaches every part and says how to mend what is missing.", "issue 2"),
    Behaviour("cli.chat", "`chat` holds a conversation in a terminal, with or without a key.", "issue 2"),
    Behaviour("cli.dead_letters", "Dead letters are listed, retried once, and dropped.", "issue 2, F19"),
    Behaviour("cli.restart", "A second start on the embedded default finds its conversations.", "issue 2"),
)

CORE = (
    Behaviour("core.thread_key", "A thread has one name, which is safe as a key and reads back.", "design 3"),
    Behaviour(
        "core.commands", "A command decides by the thread's state and always says something.", "issue 6, design 2"
    ),
    Behaviour("core.handbook", "A handbook is a file or folder; what is wrong with it is named.", "design 6"),
    Behaviour("core.progress", "What a turn has done is read from its entries alone.", "design 4"),
    Behaviour("history.window", "The window is a valid end of the record within its budget.", "design 6"),
    Behaviour("history.counted", "The window goes by what the endpoint counts, once it has.", "issue 3"),
    Behaviour("history.steps", "The window moves in large steps.", "facts/performance, prompt cache"),
    Behaviour("history.replay", "A replay shows what the model was sent before each answer.", "issue 3"),
    Behaviour("codec.whole", "Any turn comes back as it was kept.", "design 5"),
    Behaviour("codec.header", "Nothing that is typed passes for a header of ours.", "mission"),
    Behaviour("codec.version", "Rows of this version are read for ever; later ones are left for later workers.", "F65"),
)

MCP = (
    Behaviour("mcp.transports", "A server is mounted over stdio and streamable HTTP, of 2026 and before.", "design 7"),
    Behaviour("mcp.settings", "Wrong settings of a server are said with their place, and without a secret.", "issue 3"),
    Behaviour("mcp.results", "A result is text, JSON or a description, of at most 8 kB.", "design 7"),
    Behaviour("mcp.large", "An answer of 5 MB is an error for the model and holds up nobody.", "issue 3"),
    Behaviour("mcp.errors", "A tool's own error is read by the model; an exception's text is not.", "design 7, F63"),
    Behaviour("mcp.pages", "Lists are read page by page, to an end, and as far as endpoints take them.", "design 7"),
    Behaviour("mcp.names", "Tools that would be called the same get their server before their name.", "design 7"),
    Behaviour("mcp.allowed", "Only the tools that the settings allow are mounted.", "design 7"),
    Behaviour("mcp.changes", "A server's tools may change, and change between turns only.", "design 7"),
    Behaviour("mcp.down", "A server that is down keeps nobody waiting, and comes when it comes.", "design 7"),
    Behaviour("mcp.reopened", "A session that ended is opened again; nothing is done twice.", "design 7"),
    Behaviour("mcp.timeout", "A call that takes too long is left, and the server is told.", "design 7, F64"),
    Behaviour("mcp.parallel", "Thirty tools serve twenty threads at once over one session.", "issue 3"),
    Behaviour("mcp.once", "After a crash a call that changes something is not sent again.", "design 7"),
    Behaviour("mcp.unknown_outcome", "Where it is not known what became of a call, the model is told so.", "design 7"),
    Behaviour("mcp.secrets", "What the settings give to a server stands in no log, record or request.", "design 7"),
    Behaviour("mcp.conversation", "A customer is answered with what a server's tool said.", "design 7"),
)

STANDIN = (
    Behaviour("standin.protocol", "The stand-in refuses what a strict provider refuses.", "issue 2, make demo"),
    Behaviour("standin.conversations", "It holds conversations 1-9 in one's own words.", "issue 2, make demo"),
    Behaviour("standin.receipt", "It reads a picture of a receipt, offline.", "issue 2, make demo"),
    Behaviour("standin.orphan", "It ends with whoever started it.", "issue 2, make demo"),
)

TOOLS = (
    Behaviour(
        "tools.specs", "The model is told the promised names and arguments, always in the same words.", "design 7"
    ),
    Behaviour("tools.authority", "No argument of a tool says who asks or for whom.", "R1"),
    Behaviour("tools.arguments", "An id may be written as people write it; nothing unexpected is accepted.", "R2"),
    Behaviour("tools.text", "What cannot be seen is not stored.", "R8"),
    Behaviour(
        "tools.neutral", "Not yours, not there and not right are told in the same words and time.", "acceptance 5, 8"
    ),
    Behaviour(
        "tools.order", "Order id and e-mail open that order there for that person, and verify nobody.", "design 7"
    ),
    Behaviour("tools.misses", "After five misses there is a pause for that person alone.", "acceptance 8"),
    Behaviour("tools.counted", "Tries are counted exactly, however many come at once.", "R1"),
    Behaviour(
        "tools.once", "A call that is repeated, or made many times at once, happens once.", "design 7, acceptance 21"
    ),
    Behaviour("tools.limits", "A turn opens one ticket, a person five a day.", "R2"),
    Behaviour("tools.tenants", "Nothing of one tenant is seen, counted or opened by another.", "design 7, R1"),
    Behaviour(
        "tools.verified", "What needs a proof is refused by code until this person proved it here.", "acceptance 5, 7"
    ),
    Behaviour(
        "tools.verify", "A right key verifies this person in this thread, by handle or by form.", "acceptance 5, 6"
    ),
    Behaviour("tools.verify_count", "Tries by key and by form are counted together: five an hour.", "R1"),
    Behaviour("tools.links", "A link that the person did not write themselves is not opened.", "acceptance 16, R5"),
    Behaviour("tools.human", "A human is called with the reason.", "acceptance 20"),
    Behaviour("tools.audit", "What was refused is written down for good.", "acceptance, over all"),
    Behaviour("tools.uploads", "A file of at most 10 MB is kept for 24 hours, for its tenant.", "design 3, Attachment"),
    Behaviour("tools.votes", "A person has one vote on a turn, their last.", "design 3, Desk"),
    Behaviour("images.refused", "What is no picture is called what it is, and is not looked at.", "acceptance 15"),
    Behaviour("images.clean", "Only a fresh JPEG without metadata reaches the vision model.", "acceptance 15, R5"),
    Behaviour("images.bounded", "A hostile picture costs a child process its little time and memory.", "R5"),
    Behaviour(
        "fetch.guarded", "A link leads to public addresses by https, on every redirect, or nowhere.", "design 7, R5"
    ),
    Behaviour("fetch.bounded", "A download ends: in bytes, in time and in redirects.", "R5"),
    Behaviour("fetch.followed", "A redirect to another public place is followed.", "R5"),
    Behaviour("receipts.sums", "The sums of a receipt are checked, and it is said when they disagree.", "design 7"),
    Behaviour("receipts.once", "The same picture is looked at once in a thread.", "design 7"),
    Behaviour(
        "receipts.many", "Any file of the conversation can be read, by its id, also several.", "acceptance 4, 15"
    ),
    Behaviour("receipts.data", "What is read in a picture is bounded data.", "R3, acceptance 16"),
    Behaviour("receipts.honest", "When a picture cannot be read nothing is made up or stored.", "acceptance 15"),
    Behaviour(
        "database.address", "An address that cannot work is refused with the mend, without a secret.", "design 9"
    ),
    Behaviour("database.migrate", "The tables are made once, by whichever process comes first.", "design 7"),
    Behaviour("database.away", "A database that is away is said so in seconds, and it costs nobody a try.", "design 7"),
    Behaviour("database.kept", "What is in the database stays as it is, and stays out of logs.", "R7"),
)

OUTGOING = (
    Behaviour("outgoing.mentions", "Mentions in an answer are inert.", "acceptance 17, R4"),
    Behaviour("outgoing.links", "An answer links to listed hosts only.", "acceptance 16, R4"),
    Behaviour("outgoing.secrets", "Secrets and canaries never leave in an answer.", "R4"),
    Behaviour("outgoing.numbers", "A number that nobody told or was told is withheld.", "R4"),
    Behaviour("outgoing.stream", "A stream shows at last what the whole is, and nothing else before.", "R4"),
    Behaviour("outgoing.ordinary", "Ordinary text is left alone.", "acceptance 19"),
    Behaviour("outgoing.linear", "Filtering an answer takes time in proportion to its length.", "R8"),
)

SECRETS = (
    Behaviour("secrets.found", "Secrets are found by their form, or by the sentence around them.", "acceptance 6"),
    Behaviour("secrets.ordinary", "Ordinary text holds no secret, and looking costs nothing.", "acceptance 6"),
    Behaviour("secrets.masked", "What is logged is masked, tracebacks and foreign libraries included.", "R7"),
    Behaviour("secrets.handle", "A handle opens once, for its author, in its thread, for a time.", "design 7, secrets"),
    Behaviour("secrets.linear", "Looking for secrets takes time in proportion to the text's length.", "R8"),
)

TEXT = (Behaviour("text.scrubbed", "What is invisible and misleads is removed on entry; any script stays.", "R8"),)

MARKDOWN = (
    Behaviour(
        "markdown.split",
        "A long answer is cut where a reader would cut it, with fences closed and opened again, and nothing is lost.",
        "acceptance 18",
    ),
    Behaviour("markdown.linear", "Cutting an answer takes time in proportion to its length.", "R8"),
)

MODEL = (
    Behaviour("model.stream", "An answer arrives as it comes, and whole, however it was cut.", "design 6"),
    Behaviour(
        "model.dialects", "The habits of many endpoints are understood, and nonsense is a typed error.", "design 6"
    ),
    Behaviour("model.passing", "What may work later is told apart, with the time that was asked for.", "F24-F29"),
    Behaviour("model.permanent", "What cannot work is told at once, by what is wrong.", "F23, F34"),
    Behaviour("model.bounded", "No answer, however long or slow, takes more than its time and room.", "F25, F26"),
    Behaviour(
        "model.connections", "Connections are used again, and an answer that is left is closed.", "facts/performance"
    ),
    Behaviour("model.request", "A request is valid, and its beginning stays the same byte by byte.", "design 6"),
    Behaviour("model.strict", "The tests' own endpoint refuses what the strictest one would refuse.", "style, habit 8"),
    Behaviour("model.vision", "A picture is read into a schema, or it is said that it cannot be.", "design 7, R3"),
)

DESK = (
    Behaviour("desk.staff_only", "Nobody but people who work here gives orders; every order is on the audit.", "F70"),
    Behaviour("desk.human", "A human is called or takes over: said once, a card, silence, and back.", "acceptance 20"),
    Behaviour("desk.assign", "A conversation is assigned to a colleague, who is told, and to nobody else.", "issue 6"),
    Behaviour("desk.reminder", "A customer who waits for a human is remembered once, by any process.", "issue 6"),
    Behaviour("desk.told", "What could not be said in a thread or to the team is said later, once.", "issue 6"),
    Behaviour("desk.pause", "A pause stops answers within a second, and what waited is answered.", "issue 6"),
    Behaviour("desk.switch", "The operator's switch stops every worker; whoever waited is answered.", "issue 6"),
    Behaviour("desk.block", "A blocked person is told once and not heard.", "issue 6"),
    Behaviour("desk.verify_reset", "A proof can be taken back, and tries are counted anew.", "issue 6"),
    Behaviour("desk.letters", "A given-up question is retried once, by an order of its own tenant.", "F19"),
    Behaviour("desk.troubles", "A given-up turn and a failed tool reach the team, once an hour each.", "issue 6"),
    Behaviour("desk.private", "What is quoted to the team is kept on the record alone.", "issue 6, retention"),
    Behaviour("desk.reset", "A thread begins anew and its old record is kept.", "issue 6"),
    Behaviour("desk.transcript", "A transcript is a file for one person in which nothing is alive.", "issue 6"),
    Behaviour("desk.why", "It can be told why the last answer is as it is.", "issue 6"),
    Behaviour("desk.budget", "What is spent can be seen.", "issue 6"),
    Behaviour("desk.tickets", "A change of a ticket is told in its thread, once.", "issue 6"),
    Behaviour("desk.votes", "A vote can be explained and changed; a closed case is judged once.", "issue 6"),
    Behaviour("desk.channel", "A channel says what begins a conversation and how it is led.", "issue 6"),
    Behaviour("desk.earlier", "A thread that was joined late is read back once, as data that asks nothing.", "issue 6"),
)

SLACK = (
    Behaviour("slack.stand_in", "The tests' own Slack is understood by Slack's own libraries.", "style, habit 8"),
    Behaviour(
        "slack.once",
        "A message is one turn, by whatever events, however often, and in whichever order it comes.",
        "F37, F38, acceptance 9",
    ),
    Behaviour(
        "slack.twins_at_once", "Twins, retries and resent events that arrive at the same moment are one turn.", "F38"
    ),
    Behaviour(
        "slack.acknowledged",
        "Slack is told 200 only for what is stored, and never later than two seconds.",
        "F07, F08, facts/reliability 1",
    ),
    Behaviour(
        "slack.shed",
        "What is more than can be taken at a time is told so at once, and is stored once when it comes again.",
        "issue 4, acknowledgement under load",
    ),
    Behaviour("slack.sockets", "Sockets that are told to go, or cut, lose nothing and double nothing.", "F42"),
    Behaviour(
        "slack.signed", "What is not signed, or too old, stays outside, and nothing of it is written down.", "F43, F44"
    ),
    Behaviour("slack.door", "What is too large, too slow or makes no sense is refused shortly.", "F45, R6"),
    Behaviour(
        "slack.handshake",
        "Slack is told that the address is ours, and heard when it withholds events.",
        "docs.slack.dev, url_verification",
    ),
    Behaviour("slack.clock", "A clock that is off is noticed, told by readiness, and forgiven.", "F75"),
    Behaviour("slack.order", "Messages that come in another order are read as they were written.", "F39"),
    Behaviour("slack.bots", "Our own messages are never answered, other bots only when they are listed.", "F40"),
    Behaviour("slack.bots_limited", "A bot that is listed has three turns in ten minutes, and no more.", "F40"),
    Behaviour("slack.thread", "A channel needs a mention, a thread that goes on does not.", "issue 4, ways in"),
    Behaviour("slack.direct", "A direct message needs no mention.", "issue 4, ways in"),
    Behaviour("slack.humans", "People who talk to each other in a thread are left alone.", "acceptance 11"),
    Behaviour(
        "slack.edit",
        "An edit or delete before the turn changes it; after, it is a note or forgotten.",
        "F41, acceptance 10",
    ),
    Behaviour("slack.typed", "Slack's markup is undone on the way in.", "issue 4, ways in"),
    Behaviour(
        "slack.form", "The private form serves the person it was offered to, in any organisation.", "acceptance 5, 7"
    ),
    Behaviour("slack.human", "A customer asks for a human; the team takes over and hands back.", "acceptance 20"),
    Behaviour("slack.vote", "A vote is kept with its turn and can be changed.", "issue 4, answers"),
    Behaviour(
        "slack.stop", "The stop button ends the turn, keeps what was said, and nothing spins on.", "issue 4, answers"
    ),
    Behaviour("slack.quick", "Quick messages are answered together; later ones next.", "acceptance 9"),
    Behaviour("slack.commands", "Commands are for admins of the home workspace.", "issue 4, F70"),
    Behaviour(
        "slack.streams", "An answer is seen while it is written, and stands once when it is done.", "issue 4, answers"
    ),
    Behaviour(
        "slack.recipient", "A stream is for the person who asked and carries their organisation.", "facts/slack 2"
    ),
    Behaviour("slack.status", "A status stands while tools run and is gone in every ending.", "issue 4, answers"),
    Behaviour("slack.unfurls", "Nothing is unfurled, and an answer calls nobody.", "F71, F72"),
    Behaviour(
        "slack.long",
        "A long answer is whole, in order, and within Slack's limits; no part comes twice.",
        "acceptance 18",
    ),
    Behaviour("slack.post_once", "A call whose answer is lost leaves one visible answer.", "F47"),
    Behaviour("slack.falls_back", "Where nothing can be streamed the answer is posted and edited.", "issue 4, answers"),
    Behaviour("slack.expires", "A stream that Slack closed is finished as a message.", "facts/slack 2"),
    Behaviour("slack.deleted", "An answer that somebody deletes while it is written is posted anew, once.", "F48"),
    Behaviour("slack.rate", "When Slack asks to wait, it is waited.", "F46"),
    Behaviour(
        "slack.undeliverable", "What can never be delivered is a dead letter with the reason, and no loop.", "F46"
    ),
    Behaviour("slack.away", "When Slack is away for a while the answer comes afterwards, once.", "F46"),
    Behaviour("slack.threads", "Threads of one channel do not mix and do not wait for each other.", "design 4"),
    Behaviour(
        "slack.install", "A workspace installs the app by itself; what is kept of it is sealed.", "issue 4, ways in"
    ),
    Behaviour(
        "slack.orders", "An order that takes long is carried out, written down, and its outcome told later.", "issue 6"
    ),
    Behaviour("slack.linear", "Reading and rendering a message takes time in proportion to its length.", "R8"),
    Behaviour(
        "slack.strangers",
        "Who leads a workspace that installed the app by itself is a colleague only where the settings say so.",
        "issue 6, /support; R1",
    ),
    Behaviour("slack.uninstall", "A workspace that takes the app out is forgotten.", "issue 4, ways in"),
    Behaviour("slack.rotation", "A token that runs out is replaced.", "issue 4, ways in"),
    Behaviour(
        "slack.crash", "Killed between any two steps of an answer, a fresh process leaves one answer.", "F03, F47, F49"
    ),
    Behaviour("slack.storm", "Whatever fails at random, every question has its one answer.", "F46, F47"),
    Behaviour("slack.zombie", "A paused worker that wakes up writes nothing more.", "F04"),
    Behaviour("slack.files", "A picture is fetched with the token, bounded, and a page is never one.", "F55-F57, F61"),
)

SLACK_RULES = (
    Behaviour("slack.settings", "Settings of Slack that make no whole are said at once, without a token.", "design 9"),
    Behaviour(
        "slack.manifest", "The app's manifest is made from what the code uses, each scope with its reason.", "issue 4"
    ),
    Behaviour("slack.table", "The first table of a message is one of Slack's, a further one is code.", "facts/slack 3"),
    Behaviour(
        "slack.home", "Who is not known for certain to be of the home workspace is external.", "issue 4, Slack Connect"
    ),
    Behaviour(
        "slack.check", "`frontdesk check` tries what Slack's settings promise, and names each mend.", "issue 4, F75"
    ),
    Behaviour("slack.moved", "A channel that gets another id keeps its conversations.", "issue 4, ways in"),
    Behaviour(
        "slack.another_way", "Where no modal opens a form comes another way, and it is said which.", "issue 4, Connect"
    ),
    Behaviour("slack.told_once", "What the desk says, and a card for the team, is there once.", "design 8, issue 6"),
    Behaviour("slack.earlier", "A thread that is joined late is read back, the newest kept.", "issue 4, ways in"),
)

README = (Behaviour("readme.tool", "The tool that the README shows works as it stands there.", "issue 2, README"),)

DISCORD = (
    Behaviour(
        "discord.only_people",
        "Only people's own messages are answered: no bot, no webhook, no system message, not ourselves.",
        "issue 5, ways in",
    ),
    Behaviour(
        "discord.begins",
        "A mention opens a thread from its message; a post in a forum that is set so, a mention in others' threads and "
        "a DM are answered where they are; where nothing is for the bot it is silent.",
        "issue 5, ways in",
    ),
    Behaviour("discord.forwards", "What is forwarded or replied to comes along with a message.", "issue 5, ways in"),
    Behaviour(
        "discord.mentions",
        "No text, name of a thread or form of ours calls anybody but the person addressed.",
        "issue 5, answers; acceptance 17",
    ),
    Behaviour("discord.previews", "Links in answers bring no preview.", "issue 5, answers"),
    Behaviour(
        "discord.long",
        "A long answer stands in messages that can be read, in order, and what is too much in a file.",
        "acceptance 18",
    ),
    Behaviour("discord.typing", "Typing that fails harms nothing.", "issue 5, answers"),
    Behaviour(
        "discord.buttons",
        "A button serves the person and the server that it was offered in, also after a restart.",
        "issue 5, answers",
    ),
    Behaviour("discord.private", "A conversation goes on privately where nobody else reads along.", "issue 5, ways in"),
    Behaviour("discord.resume", "What was missed in an interruption is answered once.", "F50"),
    Behaviour(
        "discord.backfill",
        "What was said while no session was kept, or nothing ran, is read again, in order, and answered once.",
        "F50",
    ),
    Behaviour(
        "discord.restart", "Edits, deletes and open forms count for what was before a restart.", "issue 5, ways in"
    ),
    Behaviour(
        "discord.supervised",
        "A failed connect, an outage, an event that is not as documented: the session is held or begun anew.",
        "issue 5, ways in",
    ),
    Behaviour(
        "discord.refused",
        "A missing intent ends with the switch to set; a token that was reset is not tried again, and readiness tells.",
        "F54",
    ),
    Behaviour(
        "discord.readyz",
        "Readiness follows the gateway, and says what is the matter: a shard, its heartbeat, or what waits too long.",
        "issue 5, scale",
    ),
    Behaviour(
        "discord.filtered",
        "What a server's filters take, an answer or words of the desk's own, is told in other words or directly; an "
        "answer is a dead letter with the reason.",
        "issue 5, ways in",
    ),
    Behaviour(
        "discord.slow_mode", "Where slow mode lets nothing stand yet an answer waits, once, and comes whole.", "F51"
    ),
    Behaviour("discord.instances", "Two instances of one token answer each message once.", "issue 5, ways in"),
    Behaviour("discord.shards", "Shards run in one process or in several.", "issue 5, scale"),
    Behaviour(
        "discord.limits",
        "Rate limits are obeyed, also by many answers at once, and what is forbidden is not hammered.",
        "F51",
    ),
    Behaviour(
        "discord.places",
        "An archived thread is woken; a locked, deleted or forbidden one has its answer elsewhere, or a dead letter.",
        "F52",
    ),
    Behaviour(
        "discord.once",
        "A reply whose confirmation was lost stands once, within the nonce's window and after it.",
        "F53, design 8",
    ),
    Behaviour(
        "discord.files", "A file is read within limits, from the platform alone, or it is said why not.", "F55-F57, F61"
    ),
    Behaviour("discord.crowd", "Twenty threads stream at once, and every final text is right.", "issue 5, proof"),
    Behaviour(
        "discord.unprivileged",
        "Without the Message Content intent mentions, direct messages and commands are answered.",
        "issue 5, ways in",
    ),
    Behaviour("discord.settings", "Wrong settings are told together, each with its mend.", "design 9"),
    Behaviour(
        "discord.check",
        "`frontdesk check` prints the invitation and says what is missing in which channel, with the mend.",
        "issue 5, proof",
    ),
    Behaviour(
        "discord.strangers",
        "Who lets the bot into a server of their own is no colleague there, unless the settings name them or a tenant.",
        "issue 6, /support; R1",
    ),
    Behaviour("discord.stops", "A command that is under way at a stop is taken to its end.", "F06"),
    Behaviour("discord.commands", "Commands are registered only when they changed.", "issue 5, proof"),
    Behaviour("discord.ask", "A question may come by a command, a menu or a form with a file.", "issue 5, ways in"),
    Behaviour(
        "discord.in_time", "Interactions are answered within three seconds, also under load.", "issue 5, answers"
    ),
)

DEPLOY = (
    Behaviour(
        "deploy.image",
        "The Dockerfile's steps install the locked wheels by hash and make a Frontdesk that runs, not as root, on a "
        "root that nothing writes to.",
        "issue 6, deploy",
    ),
    Behaviour(
        "deploy.health", "The image's health check is passed by a process that answers, and by no other.", "issue 6"
    ),
    Behaviour(
        "deploy.compose",
        "compose.yaml fits its schema; its secrets are made by one command, mounted as files and read by name.",
        "issue 6, deploy",
    ),
    Behaviour(
        "deploy.stores",
        "The Redis of compose and of the small overlay keeps what it acknowledged, evicts nothing, and asks who calls.",
        "issue 6, deploy",
    ),
    Behaviour(
        "deploy.manifests",
        "The overlays render to objects of Kubernetes whose fields exist and whose references resolve.",
        "issue 6, deploy",
    ),
    Behaviour(
        "deploy.confined",
        "Every container runs as a numbered user without capabilities on a read-only root, within limits.",
        "issue 6, deploy",
    ),
    Behaviour(
        "deploy.network", "Pods reach what they need and nothing else, and nobody reaches the stores.", "issue 6"
    ),
    Behaviour("deploy.drain", "Whoever stops a process gives it longer than DRAIN_S.", "design 5, SIGTERM drains"),
    Behaviour(
        "deploy.unit", "The systemd unit runs the command there is, confined, and gives it time to drain.", "issue 6"
    ),
    Behaviour(
        "deploy.alerts", "Alerts fire when they should and not otherwise, and each leads to its page.", "issue 6"
    ),
    Behaviour(
        "deploy.metrics", "Alerts and dashboard ask for metrics and labels that the program has.", "issue 6, proof"
    ),
    Behaviour("deploy.runbook", "The commands and settings that operators are told of are there.", "issue 6, runbook"),
    Behaviour("deploy.tail", "An append-only file with a damaged tail is mended as the runbook says.", "fault F15"),
    Behaviour(
        "deploy.restore", "A backup made and restored as the runbook says holds what was accepted.", "issue 6, runbook"
    ),
)

AREAS: tuple[tuple[Behaviour, ...], ...] = tuple(
    area for name, area in list(vars().items()) if name.isupper() and isinstance(area, tuple)
)

BEHAVIOURS: dict[str, Behaviour] = {behaviour.id: behaviour for area in AREAS for behaviour in area}
