#!/bin/bash
echo starting
sh /app/data/inner.sh
echo ended
