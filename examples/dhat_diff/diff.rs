//! The effect of the pools on a run: two profiles of the same work, compared.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::pools::{Amount, Pools};
use crate::profile::{Amounts, Profile};
use crate::site::Site;

/// One run: dhat's profile, and the figures of the pools if they were kept.
pub(crate) struct Run {
    pub(crate) profile: Profile,
    pub(crate) pools: Option<Pools>,
}

/// The change of a site from the system's profile to the pools'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    /// The site is only in the system's profile: the pools serve all of it.
    Absorbed,
    /// The site is in both, with less from the fallback, or more.
    Changed,
    /// The site is in both, with the same amounts.
    Same,
    /// The site is only in the pools' profile.
    New,
    /// The blocks come from `realloc` in the pools' profile, and do not in the system's: they outgrew the
    /// pools. dhat books them where they outgrew the pools. In the system's run it books them where they
    /// began.
    Moved,
}

/// A site in both runs.
#[derive(Debug, Serialize)]
pub(crate) struct SiteDiff {
    pub(crate) title: String,
    pub(crate) fate: Fate,
    pub(crate) system: Amounts,
    pub(crate) pool: Amounts,
    /// The frames of the stack, innermost first.
    pub(crate) stack: Vec<String>,
}

/// The identity: blocks(off) + served(off) = blocks(on) + served(on), and the same for bytes.
#[derive(Debug, Serialize)]
pub(crate) struct Identity {
    /// The sums of the left and the right side.
    pub(crate) off: Amount,
    pub(crate) on: Amount,
    pub(crate) closes: bool,
    /// Whether the pools passed on exactly the blocks and bytes that dhat saw, in each run with both figures.
    /// `None` if no run has both.
    pub(crate) agrees: Option<bool>,
}

/// The comparison of two profiles.
#[derive(Debug, Serialize)]
pub(crate) struct Diff {
    pub(crate) system: Amounts,
    pub(crate) pool: Amounts,
    /// The share of the system's bytes and blocks that dhat no longer saw, in percent.
    pub(crate) absorbed_bytes_percent: f64,
    pub(crate) absorbed_blocks_percent: f64,
    /// `None` if the pools' figures were not kept.
    pub(crate) identity: Option<Identity>,
    /// The pools' figures of the run with them on.
    pub(crate) pools: Option<Pools>,
    /// The sites, ordered by the bytes of the run that has more of them, most first.
    pub(crate) sites: Vec<SiteDiff>,
}

impl Diff {
    /// Compares two runs. `served` is the amount that the pools served in the run with them on, if no file
    /// next to its profile has it.
    pub(crate) fn of(off: Run, on: Run, served: Option<Amount>) -> Self {
        let (system, pool) = (off.profile.total(), on.profile.total());
        let share = |before: u64, after: u64| {
            if before == 0 { 0.0 } else { 100.0 * (before as f64 - after as f64) / before as f64 }
        };
        Self {
            system,
            pool,
            absorbed_bytes_percent: share(system.bytes, pool.bytes),
            absorbed_blocks_percent: share(system.blocks, pool.blocks),
            identity: identity(&off, &on, served),
            sites: sites(&off.profile, &on.profile),
            pools: on.pools,
        }
    }
}

fn identity(off: &Run, on: &Run, served: Option<Amount>) -> Option<Identity> {
    let served_in = |run: &Run| run.pools.as_ref().map(|pools| pools.served);
    let side = |run: &Run, served: Amount| {
        let seen = run.profile.total();
        Amount { blocks: seen.blocks + served.blocks, bytes: seen.bytes + served.bytes }
    };
    let agrees = [off, on].into_iter().filter_map(|run| {
        let Amounts { blocks, bytes, .. } = run.profile.total();
        Some(run.pools.as_ref()?.passed_on == Amount { blocks, bytes })
    });
    let agrees = agrees.reduce(|one, other| one && other);
    let right = side(on, served_in(on).or(served)?);
    let left = side(off, served_in(off).unwrap_or_default());
    Some(Identity { off: left, on: right, closes: left == right, agrees })
}

/// The amounts of a site in one profile.
#[derive(Default)]
struct Found {
    amounts: Amounts,
    /// Whether all points of the site are reallocations.
    is_realloc: bool,
}

fn by_site(profile: &Profile) -> BTreeMap<Site, Found> {
    let mut found: BTreeMap<Site, Found> = BTreeMap::new();
    for point in &profile.points {
        let (site, is_realloc) = Site::of(profile, &point.stack);
        let entry = found.entry(site).or_insert(Found { amounts: Amounts::default(), is_realloc });
        entry.amounts += point.amounts;
        entry.is_realloc &= is_realloc;
    }
    found
}

fn sites(system: &Profile, pool: &Profile) -> Vec<SiteDiff> {
    let (mut system, mut pool) = (by_site(system), by_site(pool));
    let mut diffs = Vec::new();
    let shared: Vec<Site> = pool.keys().filter(|site| system.contains_key(site)).cloned().collect();
    for site in shared {
        let (off, on) = (system.remove(&site), pool.remove(&site));
        diffs.push(both(site, off, on.unwrap_or_default()));
    }
    // A stack may be cut off a frame earlier in one run than in the other. The two are the same site if
    // neither has another match.
    let pairs: Vec<(Site, Site)> = pool
        .keys()
        .filter_map(|site| {
            let other = only(alike(site, &system))?;
            (only(alike(other, &pool))? == site).then(|| (site.clone(), other.clone()))
        })
        .collect();
    for (site, other) in pairs {
        let (off, on) = (system.remove(&other), pool.remove(&site));
        diffs.push(both(site, off, on.unwrap_or_default()));
    }
    diffs.extend(pool.into_iter().map(|(site, on)| both(site, None, on)));
    let gone = system.into_iter();
    diffs.extend(gone.map(|(site, off)| diff(site, Fate::Absorbed, off.amounts, Amounts::default())));
    let weight = |site: &SiteDiff| Reverse(site.system.bytes.max(site.pool.bytes));
    diffs.sort_by(|a, b| (weight(a), &a.title, &a.stack).cmp(&(weight(b), &b.title, &b.stack)));
    diffs
}

/// Returns the sites of a run that begin as this one does, up to the point where either was cut off.
fn alike<'a>(site: &'a Site, run: &'a BTreeMap<Site, Found>) -> impl Iterator<Item = &'a Site> {
    let shorter = (1..site.frames().len()).filter_map(|frames| run.get_key_value(&site.first(frames)));
    let longer = run.range(site..).skip_while(move |(other, _)| *other == site);
    let longer = longer.take_while(|(other, _)| site.is_cut_off_from(other));
    shorter.chain(longer).map(|(other, _)| other)
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}

/// Compares a site of the pools' profile with the same site of the system's, if it is there.
fn both(site: Site, off: Option<Found>, on: Found) -> SiteDiff {
    let fate = match &off {
        Some(off) if off.amounts == on.amounts => Fate::Same,
        Some(Found { is_realloc: false, .. }) | None if on.is_realloc => Fate::Moved,
        Some(_) => Fate::Changed,
        None => Fate::New,
    };
    diff(site, fate, off.unwrap_or_default().amounts, on.amounts)
}

fn diff(site: Site, fate: Fate, system: Amounts, pool: Amounts) -> SiteDiff {
    SiteDiff { title: site.title().to_owned(), fate, system, pool, stack: site.frames().to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Point;

    fn profile(points: &[(&[&str], u64, u64)]) -> Profile {
        let mut frames = Vec::new();
        let points = points
            .iter()
            .map(|&(stack, blocks, bytes)| {
                let first = frames.len();
                frames.extend(stack.iter().map(|&frame| frame.to_owned()));
                Point {
                    amounts: Amounts { blocks, bytes, ..Amounts::default() },
                    stack: (first..frames.len()).collect(),
                }
            })
            .collect();
        Profile { command: String::new(), points, frames }
    }

    #[test]
    fn each_site_has_its_fate() {
        let off = profile(&[
            (&["0x1: app::frame (a.rs:1:1)"], 10, 1_000),
            (&["0x2: app::less (a.rs:2:1)", "0x3: app::main (a.rs:9:1)"], 10, 100),
            (&["0x4: app::same (a.rs:3:1)"], 1, 1),
        ]);
        let on = profile(&[
            (&["0x5: app::less (a.rs:2:1)"], 4, 40),
            (&["0x6: app::same (a.rs:3:1)"], 1, 1),
            (&["0x7: app::new (a.rs:4:1)"], 1, 2),
            (&["0x8: alloc::alloc::realloc (x.rs:1:1)", "0x9: app::grown (a.rs:5:1)"], 1, 3),
        ]);
        let diff = Diff::of(Run { profile: off, pools: None }, Run { profile: on, pools: None }, None);
        let fates: Vec<_> = diff.sites.iter().map(|site| (site.title.as_str(), site.fate)).collect();
        let expected = [
            ("app::frame (a.rs:1:1)", Fate::Absorbed),
            ("app::less (a.rs:2:1)", Fate::Changed),
            ("app::grown (a.rs:5:1)", Fate::Moved),
            ("app::new (a.rs:4:1)", Fate::New),
            ("app::same (a.rs:3:1)", Fate::Same),
        ];
        assert_eq!(fates, expected);
        assert!(diff.identity.is_none());
        assert!((diff.absorbed_bytes_percent - 100.0 * 1_055.0 / 1_101.0).abs() < 1e-9);
    }

    #[test]
    fn a_stack_that_could_be_either_of_two_is_neither() {
        let off = || {
            profile(&[
                (&["0x1: app::f (a.rs:1:1)", "0x2: app::g (a.rs:2:1)", "0x3: app::a (a.rs:3:1)"], 1, 10),
                (&["0x1: app::f (a.rs:1:1)", "0x2: app::g (a.rs:2:1)", "0x4: app::b (a.rs:4:1)"], 1, 10),
            ])
        };
        let on = profile(&[(&["0x1: app::f (a.rs:1:1)", "0x2: app::g (a.rs:2:1)"], 1, 10)]);
        let fates = |on| {
            let run = |profile| Run { profile, pools: None };
            let diff = Diff::of(run(off()), run(on), None);
            diff.sites.iter().map(|site| site.fate).collect::<Vec<_>>()
        };
        assert_eq!(fates(on), [Fate::New, Fate::Absorbed, Fate::Absorbed]);
        // One of the two is taken, so the other one is the match.
        let on = profile(&[
            (&["0x1: app::f (a.rs:1:1)", "0x2: app::g (a.rs:2:1)"], 1, 10),
            (&["0x1: app::f (a.rs:1:1)", "0x2: app::g (a.rs:2:1)", "0x3: app::a (a.rs:3:1)"], 1, 10),
        ]);
        assert_eq!(fates(on), [Fate::Same, Fate::Same]);
    }
}
