//! Texts by what they have in common from the start.

/// No row.
const NONE: u32 = u32::MAX;

/// A tree of texts, each of which is a row. Bytes that do not branch are one edge: names that rules
/// have share only short beginnings.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    /// Those of a node one after the other, sorted.
    edges: Vec<Edge>,
    /// The bytes of all edges.
    labels: Vec<u8>,
    /// The edge that the texts take with their first byte.
    first: Box<[u32; 256]>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// The row of what only has to start like this.
    start: u32,
    /// The row of what has to end here.
    whole: u32,
    first_edge: u32,
    edges: u32,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    first_byte: u8,
    /// The bytes after the first one.
    label: u32,
    label_length: u32,
    node: u32,
}

/// Part of the sorted texts: all that start with as many bytes as the node is deep.
struct Pending {
    node: usize,
    depth: usize,
    from: usize,
    to: usize,
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}

impl Trie {
    /// Of these texts, each with whether it has to be the whole; their places are their rows.
    pub(super) fn new(texts: Vec<(Vec<u8>, bool)>) -> Self {
        let mut texts: Vec<(Vec<u8>, bool, u32)> = texts
            .into_iter()
            .zip(0..)
            .map(|((text, is_whole), row)| (text, is_whole, row))
            .collect();
        texts.sort_unstable();
        let mut trie = Self {
            nodes: vec![Node::EMPTY],
            edges: Vec::new(),
            labels: Vec::new(),
            first: Box::new([NONE; 256]),
        };
        let mut pending = vec![Pending {
            node: 0,
            depth: 0,
            from: 0,
            to: texts.len(),
        }];
        while let Some(next) = pending.pop() {
            trie.add_node(&next, &texts, &mut pending);
        }
        let root = trie.nodes[0];
        for number in root.first_edge..root.first_edge + root.edges {
            let byte = trie.edges[number as usize].first_byte;
            trie.first[usize::from(byte)] = number;
        }
        trie
    }

    /// Takes the texts that end at a node, and makes an edge for each byte that others go on with.
    fn add_node(
        &mut self,
        Pending {
            node,
            depth,
            from,
            to,
        }: &Pending,
        texts: &[(Vec<u8>, bool, u32)],
        pending: &mut Vec<Pending>,
    ) {
        let mut at = *from;
        while let Some((text, is_whole, row)) = texts[at..*to].first()
            && text.len() == *depth
        {
            if *is_whole {
                self.nodes[*node].whole = *row;
            } else {
                self.nodes[*node].start = *row;
            }
            at += 1;
        }
        self.nodes[*node].first_edge = small(self.edges.len());
        while let Some((first, ..)) = texts[at..*to].first() {
            let first_byte = first[*depth];
            let others = &texts[at..*to];
            let count = others.partition_point(|(text, ..)| text[*depth] <= first_byte);
            // Sorted: what the first and the last have in common, all have.
            let last = &others[count - 1].0;
            let common = first.iter().zip(last).take_while(|(a, b)| a == b).count();
            let label = &first[depth + 1..common];
            self.edges.push(Edge {
                first_byte,
                label: small(self.labels.len()),
                label_length: small(label.len()),
                node: small(self.nodes.len()),
            });
            self.labels.extend_from_slice(label);
            pending.push(Pending {
                node: self.nodes.len(),
                depth: common,
                from: at,
                to: at + count,
            });
            self.nodes.push(Node::EMPTY);
            at += count;
        }
        let known = &mut self.nodes[*node];
        known.edges = small(self.edges.len()) - known.first_edge;
    }

    /// Reports every row that `bytes`, which end at the first NUL, satisfy.
    pub(super) fn walk(&self, mut bytes: impl Iterator<Item = u8>, mut found: impl FnMut(usize)) {
        let mut report = |row: u32| {
            if row != NONE {
                found(row as usize);
            }
        };
        let mut node = &self.nodes[0];
        report(node.start);
        let mut is_first = true;
        loop {
            let Some(byte) = bytes.next().filter(|byte| *byte != 0) else {
                report(node.whole);
                return;
            };
            let edges = if is_first {
                match self.first[usize::from(byte)] {
                    NONE => return,
                    edge => &self.edges[edge as usize..=edge as usize],
                }
            } else {
                &self.edges[node.first_edge as usize..][..node.edges as usize]
            };
            is_first = false;
            let Some(edge) = edges.iter().find(|edge| edge.first_byte == byte) else {
                return;
            };
            let label = &self.labels[edge.label as usize..][..edge.label_length as usize];
            let mut is_next = |expected: &u8| {
                bytes
                    .next()
                    .is_some_and(|byte| byte == *expected && byte != 0)
            };
            if !label.iter().all(&mut is_next) {
                return;
            }
            node = &self.nodes[edge.node as usize];
            report(node.start);
        }
    }
}

impl Node {
    const EMPTY: Self = Self {
        start: NONE,
        whole: NONE,
        first_edge: 0,
        edges: 0,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_text() {
        let texts = [
            ("", false),
            ("", true),
            ("a", false),
            ("abc", true),
            ("abc", false),
            ("abd", true),
            ("abcde", true),
            ("b", true),
            ("a\0b", true),
        ];
        let trie = Trie::new(
            texts
                .iter()
                .map(|(text, is_whole)| (text.as_bytes().to_vec(), *is_whole))
                .collect(),
        );
        for (text, expected) in [
            ("", &[0, 1][..]),
            ("\0a", &[0, 1]),
            ("a", &[0, 2]),
            ("ab", &[0, 2]),
            ("abc", &[0, 2, 3, 4]),
            ("abcd", &[0, 2, 4]),
            ("abcde", &[0, 2, 4, 6]),
            ("abd", &[0, 2, 5]),
            ("abd\0x", &[0, 2, 5]),
            ("b", &[0, 7]),
            ("bb", &[0]),
            ("c", &[0]),
            // No text that ends at its first NUL has one.
            ("a\0b", &[0, 2]),
        ] {
            let mut found = Vec::new();
            trie.walk(text.bytes(), |row| found.push(row));
            found.sort_unstable();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn bytes_that_do_not_branch_are_one_edge() {
        let texts = (0..1000).map(|number| (format!("{number:03}-{}", "x".repeat(100)), true));
        let trie = Trie::new(
            texts
                .map(|(text, whole)| (text.into_bytes(), whole))
                .collect(),
        );
        assert_eq!(trie.nodes.len(), 1 + 10 + 100 + 1000);
    }
}
