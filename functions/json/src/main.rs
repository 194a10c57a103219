//! Reads an order as a JSON document and answers with its total, as JSON too.
//!
//! `{"items":[{"name":"tea","price":1.5,"count":2}]}` is answered with
//! `{"items":1,"count":2,"total":3.0,"dearest":"tea"}`.
#![no_std]
#![no_main]
extern crate alloc;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use mayfly_sdk::{Request, Response};
use serde::{Deserialize, Serialize};

mayfly_sdk::function!(json);

#[derive(Deserialize)]
struct Order<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    /// Borrowed from the request, unless it has escapes that must be resolved.
    #[serde(borrow)]
    name: Cow<'a, str>,
    price: f64,
    count: u32,
}

#[derive(Serialize)]
struct Total<'a> {
    items: usize,
    count: u64,
    total: f64,
    /// The item that costs most, all its pieces together.
    dearest: Option<&'a str>,
}

/// Answers with the total, or with 400 and the place of the mistake if the body is no such document.
fn json(request: &Request) -> Response {
    let order: Order = match serde_json::from_slice(request.body()) {
        Ok(order) => order,
        Err(error) => {
            return Response::text(format_args!("the body is not an order: {error}\n")).with_status(400);
        }
    };
    let total = total(&order);
    if !total.total.is_finite() {
        return Response::text("the prices add up to more than a number can hold\n").with_status(400);
    }
    match serde_json::to_string(&total) {
        Ok(document) => Response::text(document).with_type("application/json"),
        Err(error) => Response::text(format_args!("the total cannot be written as JSON: {error}\n")).with_status(500),
    }
}

fn total<'a>(order: &'a Order) -> Total<'a> {
    let cost = |item: &Item| item.price * f64::from(item.count);
    Total {
        items: order.items.len(),
        count: order.items.iter().map(|item| u64::from(item.count)).sum(),
        // Not `sum`: that of no floating-point numbers at all is -0.
        total: order.items.iter().map(cost).fold(0.0, |total, cost| total + cost),
        dearest: order.items.iter().max_by(|a, b| cost(a).total_cmp(&cost(b))).map(|item| &*item.name),
    }
}
