"""Monitoring: issue and record the hour's forecast, score earlier ones, measure drift, check the champion."""
