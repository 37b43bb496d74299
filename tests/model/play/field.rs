//! The fields that games are played on. A field has pools of one kind, which are never dropped, and players
//! of its own.

use framepool::{Class, Config};

use super::action::{ACTION_BYTES, Action};
use super::fallback::{Pool, Watched};
use super::players::Players;
use super::referee::Game;
use super::table::{EVEN, ODD, Table};

/// Pools of one kind, with their fallback and their players.
pub(crate) struct Field {
    pool: &'static Pool,
    fallback: &'static Watched,
    pub(crate) table: Table,
    players: Players,
}

impl Field {
    /// Makes pools with slots of odd sizes, some of them held back.
    pub(crate) fn odd() -> Self {
        Self::new(ODD, ODD.config())
    }

    /// Makes pools whose slot sizes are powers of two, and that hold nothing back.
    pub(crate) fn even() -> Self {
        Self::new(EVEN, EVEN.config())
    }

    /// Makes hardened pools: a free is an atomic exchange, and clears the slot.
    pub(crate) fn hardened() -> Self {
        Self::new(ODD, ODD.config().hardened(true).zero_on_free(true))
    }

    /// Makes pools whose slots no thread caches.
    pub(crate) fn without_magazines() -> Self {
        Self::new(ODD, Class::ALL.into_iter().fold(ODD.config(), |config, class| config.magazine(class, 0)))
    }

    fn new(table: Table, config: Config) -> Self {
        let fallback: &'static Watched = Box::leak(Box::new(Watched::new()));
        let pool = Box::leak(Box::new(Pool::with_fallback(fallback, config)));
        Self { pool, fallback, table, players: Players::new() }
    }

    /// Plays a game of these actions.
    pub(crate) fn play(&self, actions: impl IntoIterator<Item = Action>) {
        let mut game = Game::new(self.pool, self.fallback, self.table, &self.players);
        actions.into_iter().for_each(|action| game.play(action));
        game.end();
    }
}

/// A field of each kind.
pub(crate) struct Fields([Field; 4]);

impl Fields {
    pub(crate) fn new() -> Self {
        Self([Field::odd(), Field::even(), Field::hardened(), Field::without_magazines()])
    }

    /// Plays the game that a fuzzer's bytes encode. The first byte picks the pools. Each [`ACTION_BYTES`]
    /// bytes after it are an action.
    pub(crate) fn play(&self, bytes: &[u8]) {
        let Some((first, actions)) = bytes.split_first() else { return };
        let field = &self.0[usize::from(*first) % self.0.len()];
        let (actions, _) = actions.as_chunks::<ACTION_BYTES>();
        field.play(actions.iter().map(|bytes| Action::decode(*bytes, &field.table)));
    }
}
