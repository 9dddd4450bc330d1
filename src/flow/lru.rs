//! Slots in the order in which they were last used: a doubly linked list through indices, so that the slot that has
//! been silent longest is found at once.

/// No slot.
pub const NONE: u32 = u32::MAX;

/// A slot's neighbours.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    older: u32,
    newer: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self { older: NONE, newer: NONE }
    }
}

/// One list. The links live with the slots, so that several lists can share them: a slot is in one list at a time.
#[derive(Debug)]
pub struct Lru {
    oldest: u32,
    newest: u32,
}

impl Lru {
    /// An empty list.
    pub fn new() -> Self {
        Self { oldest: NONE, newest: NONE }
    }

    /// The slot that has not been used for longest.
    pub fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Adds a slot that is in no list, as the newest.
    pub fn push(&mut self, slot: u32, links: &mut [Link]) {
        let old_newest = self.newest;
        if let Some(link) = links.get_mut(slot as usize) {
            *link = Link { older: old_newest, newer: NONE };
        }
        match links.get_mut(old_newest as usize) {
            Some(link) => link.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }

    /// Takes a slot out of this list.
    pub fn remove(&mut self, slot: u32, links: &mut [Link]) {
        let Some(Link { older, newer }) = links.get(slot as usize).copied() else { return };
        match links.get_mut(older as usize) {
            Some(link) => link.newer = newer,
            None => self.oldest = newer,
        }
        match links.get_mut(newer as usize) {
            Some(link) => link.older = older,
            None => self.newest = older,
        }
    }

    /// Makes a slot of this list the newest.
    pub fn touch(&mut self, slot: u32, links: &mut [Link]) {
        if self.newest != slot {
            self.remove(slot, links);
            self.push(slot, links);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(list: &Lru, links: &[Link]) -> Vec<u32> {
        let mut slots = Vec::new();
        let mut slot = list.oldest;
        while slot != NONE {
            slots.push(slot);
            slot = links[slot as usize].newer;
        }
        slots
    }

    #[test]
    fn keeps_order_of_use() {
        let mut links = vec![Link::default(); 4];
        let mut list = Lru::new();
        (0..4).for_each(|slot| list.push(slot, &mut links));
        list.touch(1, &mut links);
        list.touch(1, &mut links);
        assert_eq!(order(&list, &links), [0, 2, 3, 1]);
        list.remove(0, &mut links);
        list.remove(1, &mut links);
        assert_eq!(order(&list, &links), [2, 3]);
        list.remove(2, &mut links);
        list.remove(3, &mut links);
        assert_eq!(list.oldest(), None);
        list.push(3, &mut links);
        assert_eq!(order(&list, &links), [3]);
    }
}
