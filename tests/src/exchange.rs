//! Requests to the example functions whose right answers the host knows by itself.

use fastrand::Rng;
use sha2::{Digest, Sha256};

use crate::{Request, Response, qr};

/// A request and its right answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What is asked.
    pub request: Request,
    /// What must come back, with status 200.
    pub expected: Expected,
}

/// A right body.
#[derive(Clone, Debug)]
pub enum Expected {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A picture of a QR code with this text.
    QrCode(String),
}

impl Exchange {
    /// A greeting by name; the name is not empty.
    pub fn hello(name: &str) -> Self {
        Self::bytes(Request::post("/hello", name), format!("hello, {name}\n"))
    }

    /// A body that comes back.
    pub fn echo(body: Vec<u8>) -> Self {
        Self::bytes(Request::post("/echo", body.clone()), body)
    }

    /// A body's digest.
    pub fn sha256(body: Vec<u8>) -> Self {
        let digits: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        Self::bytes(Request::post("/sha256", body), format!("{digits}\n"))
    }

    /// A text as a QR code.
    pub fn qr(text: &str) -> Self {
        Self { request: Request::post("/qr", text), expected: Expected::QrCode(text.to_owned()) }
    }

    /// An order of items, each with a price in quarters and a count, so that its total has no rounding.
    pub fn json(items: &[(String, u32, u32)]) -> Self {
        let lines: Vec<_> = items
            .iter()
            .map(|(name, quarters, count)| {
                format!(r#"{{"name":"{name}","price":{:?},"count":{count}}}"#, f64::from(*quarters) / 4.0)
            })
            .collect();
        let cost = |(_, quarters, count): &(String, u32, u32)| u64::from(*quarters) * u64::from(*count);
        let total = items.iter().map(cost).sum::<u64>() as f64 / 4.0;
        let count: u64 = items.iter().map(|(_, _, count)| u64::from(*count)).sum();
        let dearest =
            items.iter().max_by_key(|item| cost(item)).map_or("null".to_owned(), |item| format!("{:?}", item.0));
        let answer = format!(r#"{{"items":{},"count":{count},"total":{total:?},"dearest":{dearest}}}"#, items.len());
        Self::bytes(Request::post("/json", format!(r#"{{"items":[{}]}}"#, lines.join(","))), answer)
    }

    /// A text's lines, words and bytes.
    pub fn wordcount(text: &str) -> Self {
        let lines = text.bytes().filter(|byte| *byte == b'\n').count();
        let words = text.split_ascii_whitespace().count();
        Self::bytes(Request::post("/wordcount", text), format!("{lines} lines, {words} words, {} bytes\n", text.len()))
    }

    /// Something for each example function, with a body of about `len` bytes or as many as the function takes.
    pub fn of_length(rng: &mut Rng, len: usize) -> [Self; 6] {
        /// Longest name that hello takes, in bytes.
        const NAME_MAX: usize = 4096;
        /// Longest text for qr: a web address. The work grows with the square of it.
        const TEXT_MAX: usize = 64;
        /// About the length of an item in an order.
        const ITEM: usize = 48;
        let name: String = (0..len.clamp(1, NAME_MAX)).map(|_| rng.alphanumeric()).collect();
        let text: String = (0..len.clamp(1, TEXT_MAX)).map(|_| rng.alphanumeric()).collect();
        let words: String = (0..len).map(|_| *rng.choice(b"ab \n").unwrap_or(&b' ') as char).collect();
        let items: Vec<_> =
            (0..len / ITEM).map(|at| (format!("item {at}"), rng.u32(..10_000), rng.u32(..100))).collect();
        let mut random = || {
            let mut body = vec![0; len];
            rng.fill(&mut body);
            body
        };
        [
            Self::hello(&name),
            Self::echo(random()),
            Self::sha256(random()),
            Self::qr(&text),
            Self::json(&items),
            Self::wordcount(&words),
        ]
    }

    /// What is wrong with a response, if anything is.
    pub fn check(&self, response: &Response) -> Result<(), String> {
        let right = response.status == 200
            && match &self.expected {
                Expected::Bytes(bytes) => *bytes == response.body,
                Expected::QrCode(wanted) => *wanted == qr::text(&response.text())?,
            };
        if right { Ok(()) } else { Err(format!("{:?} was answered with {response:?}", self.request)) }
    }

    /// An answer that is these bytes.
    pub(crate) fn bytes(request: Request, expected: impl Into<Vec<u8>>) -> Self {
        Self { request, expected: Expected::Bytes(expected.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(exchange: &Exchange) -> &str {
        let Expected::Bytes(bytes) = &exchange.expected else { panic!("a picture") };
        std::str::from_utf8(bytes).expect("text")
    }

    #[test]
    fn the_hosts_own_answers_are_the_known_ones() {
        assert_eq!(
            answer(&Exchange::sha256(b"abc".to_vec())),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
        );
        let order = Exchange::json(&[("tea".to_owned(), 6, 2), ("cup".to_owned(), 1, 1)]);
        assert_eq!(
            order.request.body(),
            br#"{"items":[{"name":"tea","price":1.5,"count":2},{"name":"cup","price":0.25,"count":1}]}"#
        );
        assert_eq!(answer(&order), r#"{"items":2,"count":3,"total":3.25,"dearest":"tea"}"#);
        assert_eq!(answer(&Exchange::json(&[])), r#"{"items":0,"count":0,"total":0.0,"dearest":null}"#);
        assert_eq!(answer(&Exchange::wordcount("a b\n c")), "1 lines, 3 words, 6 bytes\n");
    }
}
