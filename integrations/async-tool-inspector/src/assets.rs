//! Files of the page, embedded in the program.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// Name, media type and content of each file.
const FILES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Response with a file of the page; 404 if there is none of this name.
pub(crate) fn serve(name: &str) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, media, text)) => ([(header::CONTENT_TYPE, *media)], *text).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such file").into_response(),
    }
}
