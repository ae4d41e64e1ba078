//! A manager's tools as an MCP server.
