//! The tools of an MCP server as tools of a manager.
