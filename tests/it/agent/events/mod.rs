//! Events for a client: their JSON, the way back into a session, and the reasoning of the model.

mod after;
mod json;
