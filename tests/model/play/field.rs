//! Where games are played: pools of one kind, for ever, with players of their own.

use framepool::{Class, Config};

use super::action::{ACTION_BYTES, Action};
use super::fallback::{Pool, Watched};
use super::players::Players;
use super::referee::Game;
use super::table::{EVEN, ODD, Table};

/// One kind of pools.
pub(crate) struct Field {
    pool: &'static Pool,
    fallback: &'static Watched,
    pub(crate) table: Table,
    players: Players,
}

impl Field {
    /// Slots of odd sizes, some held back.
    pub(crate) fn odd() -> Self {
        Self::new(ODD, ODD.config())
    }

    /// Powers of two, nothing held back.
    pub(crate) fn even() -> Self {
        Self::new(EVEN, EVEN.config())
    }

    /// Each free one exchange, and the slot cleared.
    pub(crate) fn hardened() -> Self {
        Self::new(ODD, ODD.config().hardened(true).zero_on_free(true))
    }

    /// No thread caches anything.
    pub(crate) fn without_magazines() -> Self {
        Self::new(ODD, Class::ALL.into_iter().fold(ODD.config(), |config, class| config.magazine(class, 0)))
    }

    fn new(table: Table, config: Config) -> Self {
        let fallback: &'static Watched = Box::leak(Box::new(Watched::new()));
        let pool = Box::leak(Box::new(Pool::with_fallback(fallback, config)));
        Self { pool, fallback, table, players: Players::new() }
    }

    /// A game of these actions.
    pub(crate) fn play(&self, actions: impl IntoIterator<Item = Action>) {
        let mut game = Game::new(self.pool, self.fallback, self.table, &self.players);
        actions.into_iter().for_each(|action| game.play(action));
        game.end();
    }
}

/// All kinds of pools.
pub(crate) struct Fields([Field; 4]);

impl Fields {
    pub(crate) fn new() -> Self {
        Self([Field::odd(), Field::even(), Field::hardened(), Field::without_magazines()])
    }

    /// The game that a fuzzer's bytes say: the first picks the pools, each [`ACTION_BYTES`] after it are an action.
    pub(crate) fn play(&self, bytes: &[u8]) {
        let Some((first, actions)) = bytes.split_first() else { return };
        let field = &self.0[usize::from(*first) % self.0.len()];
        let (actions, _) = actions.as_chunks::<ACTION_BYTES>();
        field.play(actions.iter().map(|bytes| Action::decode(*bytes, &field.table)));
    }
}
