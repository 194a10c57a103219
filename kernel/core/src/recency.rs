//! Which of many things was used longest ago: a list through their places, every step of constant cost.

/// What a place knows of its neighbours. Places start as [`Link::OUT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    older: u32,
    newer: u32,
}

/// No place.
const NONE: u32 = u32::MAX;
/// In `older` and `newer` of a place that is not in the list.
const OUT: u32 = u32::MAX - 1;

impl Link {
    /// Of a place that is not in the list.
    pub const OUT: Self = Self { older: OUT, newer: OUT };
}

/// The two ends of a list whose links the caller keeps, one for each place. Always the same ones.
#[derive(Clone, Debug)]
pub struct Recency {
    oldest: u32,
    newest: u32,
}

impl Default for Recency {
    fn default() -> Self {
        Self { oldest: NONE, newest: NONE }
    }
}

impl Recency {
    /// The place that was used longest ago.
    pub fn oldest(&self) -> Option<usize> {
        (self.oldest != NONE).then_some(self.oldest as usize)
    }

    /// Notes that a place was used now.
    pub fn touch(&mut self, links: &mut [Link], place: usize) {
        if self.newest as usize == place {
            return;
        }
        self.remove(links, place);
        links[place] = Link { older: self.newest, newer: NONE };
        match self.newest {
            NONE => self.oldest = place as u32,
            newest => links[newest as usize].newer = place as u32,
        }
        self.newest = place as u32;
    }

    /// Takes a place out of the list, if it is in it.
    pub fn remove(&mut self, links: &mut [Link], place: usize) {
        let Link { older, newer } = links[place];
        if older == OUT {
            return;
        }
        match older {
            NONE => self.oldest = newer,
            older => links[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => links[newer as usize].older = older,
        }
        links[place] = Link::OUT;
    }
}
