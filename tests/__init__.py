"""Tests of wangge."""
